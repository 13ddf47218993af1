#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// What Lathe and its peers are given to do. Plain C++: the libraries' headers and ours never meet. All data is
/// borrowed for as long as a contestant lives, row-major, and starts on a cache line.
namespace lathe::bench {

/// c = a b, or with their transposes.
template <class T>
struct MatmulProblem {
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
  bool transpose_a;      // a is [k, m]
  bool transpose_b;      // b is [n, k]
  std::span<const T> a;  // [m, k] otherwise
  std::span<const T> b;  // [k, n] otherwise
  int threads;
};

/// y = the convolution of square images with zeros around them and square windows, as many windows as pixels; and its
/// gradients for dy. x: [batch, size, size, channels], filter: [window, window, channels, filters], dy: like y.
struct ConvolutionProblem {
  std::int64_t batch;
  std::int64_t size;
  std::int64_t channels;
  std::int64_t filters;
  std::int64_t window;
  std::span<const float> x;
  std::span<const float> filter;
  std::span<const float> dy;
  int threads;
};

/// A function of the rows of x.
struct RowsProblem {
  std::int64_t rows;
  std::int64_t columns;
  std::span<const float> x;
  int threads;
};

/// Updates of parameters that start at 0 with this gradient, over and over.
struct AdamProblem {
  std::span<const float> gradient;
  int threads;
};

/// The classifier: 784 pixels in [0, 1], 128 hidden units with ReLU, 10 logits.
struct Mlp {
  static constexpr std::int64_t pixels = 784;
  static constexpr std::int64_t hidden = 128;
  static constexpr std::int64_t classes = 10;
  // In Lathe's layout: kernels are [in, out].
  std::vector<float> w1;
  std::vector<float> b1;
  std::vector<float> w2;
  std::vector<float> b2;
};

/// Steps of training over shuffled batches: gathers the next batch of u8 images, scales it, and makes an update of Adam
/// (rate 0.001, betas 0.9 and 0.999, epsilon 1e-7) with the gradient of the mean of softmax cross-entropy. The result
/// is the loss of the latest batch.
struct TrainingProblem {
  std::span<const std::uint8_t> images;  // [examples, 784]
  std::span<const std::uint8_t> labels;  // [examples]
  Mlp initial;
  std::int64_t batch;
  std::uint64_t shuffle_seed;
  int threads;
};

/// Two convolutions with windows of 3 x 3, each with ReLU and the largest of 2 x 2 pixels, and two dense layers.
struct Cnn {
  static constexpr std::int64_t first_filters = 32;
  static constexpr std::int64_t second_filters = 64;
  static constexpr std::int64_t last_side = 5;
  static constexpr std::int64_t flat = last_side * last_side * second_filters;
  static constexpr std::int64_t hidden = 128;
  static constexpr std::int64_t classes = 10;
  // In Lathe's layout: [height, width, in, out] and [in, out].
  std::vector<float> k1;
  std::vector<float> b1;
  std::vector<float> k2;
  std::vector<float> b2;
  std::vector<float> w3;
  std::vector<float> b3;
  std::vector<float> w4;
  std::vector<float> b4;
};

/// As TrainingProblem, of the convolutional network.
struct CnnProblem {
  std::span<const std::uint8_t> images;  // [examples, 784]
  std::span<const std::uint8_t> labels;  // [examples]
  Cnn initial;
  std::int64_t batch;
  std::uint64_t shuffle_seed;
  int threads;
};

/// Probabilities of the classes, [batch, 10], from u8 images.
struct InferenceProblem {
  std::span<const std::uint8_t> images;  // [batch, 784]
  std::int64_t batch;
  Mlp model;
  int threads;
};

}  // namespace lathe::bench
