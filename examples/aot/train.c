/* Trains the classifier of Fashion-MNIST in plain C. The network and its training are in fashion_mlp.o, which Lathe made
 * and which needs nothing; all memory is in the arrays below.
 *
 *   train [--data FOLDER] [--epochs N] [--examples N] */

#include <inttypes.h>
#include <string.h>

#include "fashion_mlp.h"
#include "idx.h"

enum { batch = 32 };

static uint8_t train_images[train_count * pixels];
static uint8_t train_labels[train_count];
static uint8_t test_images[test_count * pixels];
static uint8_t test_labels[test_count];
static int64_t order[train_count];

static _Alignas(64) uint8_t state[FASHION_MLP_STATE_BYTES];
static _Alignas(64) uint8_t init_arena[FASHION_MLP_INIT_ARENA_BYTES + 64];
static _Alignas(64) uint8_t train_arena[FASHION_MLP_TRAIN_STEP_ARENA_BYTES(train_count, batch) + 64];
static _Alignas(64) uint8_t test_arena[FASHION_MLP_EVALUATE_ARENA_BYTES(test_count) + 64];

static void expect_success(int32_t code, const lathe_call* call) {
  if (code == FASHION_MLP_OK) return;
  fprintf(stderr, "error %" PRId32 ": %s (index %" PRId64 ", value %" PRId64 ")\n", code, fashion_mlp_message(code),
          call->failed_index, call->failed_value);
  exit(1);
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next_random(uint64_t* random) {
  uint64_t z = *random += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

/* Uniform in [0, bound): what lies beyond is drawn again, so that no number is favoured. */
static uint64_t random_below(uint64_t* random, uint64_t bound) {
  uint64_t mask = bound - 1;
  for (int shift = 1; shift < 64; shift *= 2) mask |= mask >> shift;
  int unused_bits = 64;
  for (uint64_t bits = mask; bits != 0; bits >>= 1) --unused_bits;
  uint64_t draw = bound;
  while (draw >= bound) draw = unused_bits == 64 ? 0 : next_random(random) >> unused_bits;
  return draw;
}

/* The order in which an epoch visits its examples, which is that of Lathe's own lathe::data::epoch_order(). */
static void shuffle(int64_t* items, int64_t count, uint64_t epoch) {
  uint64_t seed = 0;
  seed = next_random(&seed) ^ epoch;
  uint64_t random = next_random(&seed);
  for (int64_t i = 0; i < count; ++i) items[i] = i;
  for (int64_t left = count; left > 1; --left) {
    const int64_t other = (int64_t)random_below(&random, (uint64_t)left);
    const int64_t item = items[left - 1];
    items[left - 1] = items[other];
    items[other] = item;
  }
}

static void train_epoch(int64_t epoch, int64_t examples, lathe_call* call) {
  double loss_sum = 0;
  double accuracy_sum = 0;
  shuffle(order, examples, (uint64_t)epoch);
  for (int64_t first = 0; first < examples; first += batch) {
    const int64_t rows = examples - first < batch ? examples - first : batch;
    float loss = 0;
    float accuracy = 0;
    expect_success(fashion_mlp_train_step(state, train_images, train_labels, order + first, &loss, &accuracy, train_count,
                                          rows, train_arena, call),
                   call);
    loss_sum += (double)loss * (double)rows;
    accuracy_sum += (double)accuracy * (double)rows;
  }
  printf("Epoch %" PRId64 " - loss: %.4f - accuracy: %.4f\n", epoch + 1, loss_sum / (double)examples,
         accuracy_sum / (double)examples);
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/. */
static uint64_t add_to_hash(uint64_t hash, const void* data, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) hash = (hash ^ ((const uint8_t*)data)[i]) * 0x100000001b3;
  return hash;
}

/* Of the trained weights' bytes: equal after equal training. */
static uint64_t weights_hash(void) {
  static float b1[128];
  static float b2[classes];
  static float w1[pixels * 128];
  static float w2[128 * classes];
  fashion_mlp_export_b1(state, b1);
  fashion_mlp_export_b2(state, b2);
  fashion_mlp_export_w1(state, w1);
  fashion_mlp_export_w2(state, w2);
  uint64_t hash = 0xcbf29ce484222325;
  hash = add_to_hash(hash, b1, sizeof b1);
  hash = add_to_hash(hash, b2, sizeof b2);
  hash = add_to_hash(hash, w1, sizeof w1);
  return add_to_hash(hash, w2, sizeof w2);
}

/* A whole number in [least, most], or the end of the program. */
static int64_t parse_number(const char* option, const char* text, int64_t least, int64_t most) {
  char* end = NULL;
  const long long number = strtoll(text, &end, 10);
  if (end == text || *end != '\0' || number < least || number > most) {
    fprintf(stderr, "%s takes a number from %" PRId64 " to %" PRId64 ", not '%s'\n", option, least, most, text);
    exit(1);
  }
  return number;
}

int main(int argc, char** argv) {
  const char* folder = "/usr/share/datasets/fashion-mnist";
  int64_t epochs = 1;
  int64_t examples = train_count;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 < argc && strcmp(argv[i], "--data") == 0) {
      folder = argv[i + 1];
    } else if (i + 1 < argc && strcmp(argv[i], "--epochs") == 0) {
      epochs = parse_number(argv[i], argv[i + 1], 0, 1000000);
    } else if (i + 1 < argc && strcmp(argv[i], "--examples") == 0) {
      examples = parse_number(argv[i], argv[i + 1], 1, train_count);
    } else {
      fprintf(stderr, "usage: %s [--data FOLDER] [--epochs N] [--examples N]\n", argv[0]);
      return 1;
    }
  }
  read_idx(folder, "train-images-idx3-ubyte.gz", train_images, train_count, pixels);
  read_idx(folder, "train-labels-idx1-ubyte.gz", train_labels, train_count, 1);
  read_idx(folder, "t10k-images-idx3-ubyte.gz", test_images, test_count, pixels);
  read_idx(folder, "t10k-labels-idx1-ubyte.gz", test_labels, test_count, 1);

  lathe_call call = {0};
  expect_success(fashion_mlp_init(state, 0, init_arena, &call), &call);
  for (int64_t epoch = 0; epoch < epochs; ++epoch) train_epoch(epoch, examples, &call);

  float loss = 0;
  float accuracy = 0;
  expect_success(
      fashion_mlp_evaluate(state, test_images, test_labels, &loss, &accuracy, test_count, test_arena, &call), &call);
  printf("Test loss: %.4f, test accuracy: %.4f\n", loss, accuracy);
  printf("Weights hash: %016" PRIx64 "\n", weights_hash());
  return 0;
}
