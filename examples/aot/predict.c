/* Tells what the first test images show. The network, its weights included, is in fashion_predictor.o.
 *
 *   predict [FOLDER] */

#include "fashion_predictor.h"
#include "idx.h"

enum { shown = 10 };

static const char* const names[classes] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                           "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

static uint8_t images[test_count * pixels];
static uint8_t labels[test_count];
static float probabilities[test_count * classes];
static _Alignas(64) uint8_t arena[FASHION_PREDICTOR_PREDICT_ARENA_BYTES(test_count) + 64];

static int best_class(const float* row) {
  int best = 0;
  for (int i = 1; i < classes; ++i) {
    if (row[i] > row[best]) best = i;
  }
  return best;
}

int main(int argc, char** argv) {
  const char* folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
  read_idx(folder, "t10k-images-idx3-ubyte.gz", images, test_count, pixels);
  read_idx(folder, "t10k-labels-idx1-ubyte.gz", labels, test_count, 1);
  const int32_t code = fashion_predictor_predict(images, probabilities, test_count, arena, NULL);
  if (code != FASHION_PREDICTOR_OK) {
    fprintf(stderr, "%s\n", fashion_predictor_message(code));
    return 1;
  }
  int right = 0;
  for (int i = 0; i < test_count; ++i) {
    const float* row = probabilities + (size_t)i * classes;
    const int best = best_class(row);
    right += best == labels[i];
    if (i < shown) printf("%-12s %3.0f%%   is %s\n", names[best], 100 * row[best], names[labels[i]]);
  }
  printf("%d of %d test images are told right\n", right, test_count);
  return 0;
}
