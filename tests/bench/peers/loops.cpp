#include "loops.h"

#include <algorithm>
#include <cmath>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace lathe::bench::loops {
namespace {

constexpr std::int64_t pixels = Mlp::pixels;
constexpr std::int64_t hidden = Mlp::hidden;
constexpr std::int64_t classes = Mlp::classes;
constexpr int lanes = 16;  // a row of logits in one vector

/// Below this many elements waking threads costs more than it saves.
constexpr std::int64_t worth_threads = 1 << 15;

void scale_row(const std::uint8_t* from, float* to, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]) * (1.0F / 255);
}

/// exp(logits - max), and the sum of it; lanes after the classes are 0.
struct Exponentials {
  alignas(64) float numbers[lanes];
  float max;
  float sum;

  explicit Exponentials(const float* logits) {
    std::fill_n(numbers, lanes, -1e30F);
    std::copy_n(logits, classes, numbers);
    max = numbers[0];
#pragma omp simd reduction(max : max)
    for (int c = 0; c < lanes; ++c) max = std::max(max, numbers[c]);
    sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < lanes; ++c) {
      numbers[c] = std::exp(numbers[c] - max);
      sum += numbers[c];
    }
  }
};

/// As Lathe does around each run. Moments of parameters that get no gradient decay into subnormal numbers.
void flush_subnormals() {
#if defined(__x86_64__)
  constexpr unsigned ftz_and_daz = 0x8040;
  _mm_setcsr(_mm_getcsr() | ftz_and_daz);
#endif
}

}  // namespace

void gather(std::span<const std::uint8_t> images, std::span<const std::int64_t> examples, float* x) {
  const auto batch = static_cast<std::int64_t>(examples.size());
#pragma omp parallel for if (batch * pixels > worth_threads)
  for (std::int64_t i = 0; i < batch; ++i) scale_row(images.data() + examples[i] * pixels, x + i * pixels, pixels);
}

void scale(std::span<const std::uint8_t> images, float* x) {
  const auto count = static_cast<std::int64_t>(images.size());
#pragma omp parallel for if (count > worth_threads)
  for (std::int64_t i = 0; i < count; i += pixels) scale_row(images.data() + i, x + i, pixels);
}

void softmax(const float* logits, std::int64_t batch, float* probabilities) {
#pragma omp parallel for if (batch * lanes > worth_threads)
  for (std::int64_t i = 0; i < batch; ++i) {
    const Exponentials row(logits + i * classes);
    for (int c = 0; c < classes; ++c) probabilities[i * classes + c] = row.numbers[c] / row.sum;
  }
}

float softmax_cross_entropy(const float* logits, std::span<const std::uint8_t> labels,
                            std::span<const std::int64_t> examples, float* gradient, float* bias_gradient) {
  const auto batch = static_cast<std::int64_t>(examples.size());
  float loss = 0;
  float sums[classes] = {};
#pragma omp parallel for reduction(+ : loss, sums[:classes]) if (batch * lanes > worth_threads)
  for (std::int64_t i = 0; i < batch; ++i) {
    const int label = labels[examples[i]];
    const Exponentials row(logits + i * classes);
    loss += std::log(row.sum) + row.max - logits[i * classes + label];
    for (int c = 0; c < classes; ++c) {
      const float d = (row.numbers[c] / row.sum - (c == label ? 1.0F : 0.0F)) / static_cast<float>(batch);
      gradient[i * classes + c] = d;
      sums[c] += d;
    }
  }
  std::copy_n(sums, classes, bias_gradient);
  return loss / static_cast<float>(batch);
}

void relu_backward(const float* activation, std::int64_t batch, float* gradient, float* bias_gradient) {
  float sums[hidden] = {};
#pragma omp parallel for reduction(+ : sums[:hidden]) if (batch * hidden > worth_threads)
  for (std::int64_t i = 0; i < batch; ++i) {
#pragma omp simd
    for (std::int64_t j = 0; j < hidden; ++j) {
      const float d = activation[i * hidden + j] > 0 ? gradient[i * hidden + j] : 0;
      gradient[i * hidden + j] = d;
      sums[j] += d;
    }
  }
  std::copy_n(sums, hidden, bias_gradient);
}

void update(const Adam& adam, float alpha) {
  const auto [w, m, v, g, count] = adam;
#pragma omp parallel if (count > worth_threads)
  {
    flush_subnormals();
#pragma omp for simd
    for (std::int64_t i = 0; i < count; ++i) {
      m[i] += (g[i] - m[i]) * 0.1F;
      v[i] += (g[i] * g[i] - v[i]) * 0.001F;
      w[i] -= alpha * m[i] / (std::sqrt(v[i]) + 1e-7F);
    }
  }
}

}  // namespace lathe::bench::loops
