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

/// Probabilities of the classes, [batch, 10], from u8 images.
struct InferenceProblem {
  std::span<const std::uint8_t> images;  // [batch, 784]
  std::int64_t batch;
  Mlp model;
  int threads;
};

}  // namespace lathe::bench
