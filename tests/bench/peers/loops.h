#pragma once

#include <cstdint>
#include <span>

#include "problems.h"

/// Loops for what oneDNN has no fused primitive for, as one would write them by hand: on OpenMP's threads, compiled for
/// this very CPU and with fast mathematics.
namespace lathe::bench::loops {

/// x[i, :] = images[examples[i], :] / 255
void gather(std::span<const std::uint8_t> images, std::span<const std::int64_t> examples, float* x);
/// x = images / 255
void scale(std::span<const std::uint8_t> images, float* x);
/// Rows of probabilities from rows of logits.
void softmax(const float* logits, std::int64_t batch, float* probabilities);
/// The mean loss, its gradient with respect to the logits [batch, 10], and that one's sum over the batch.
float softmax_cross_entropy(const float* logits, std::span<const std::uint8_t> labels,
                            std::span<const std::int64_t> examples, float* gradient, float* bias_gradient);
/// gradient = 0 where activation, [batch, 128], is not positive; and its sum over the batch.
void relu_backward(const float* activation, std::int64_t batch, float* gradient, float* bias_gradient);

/// Adam's state for `count` parameters; all of an update is one loop.
struct Adam {
  float* w;
  float* m;
  float* v;
  const float* g;
  std::int64_t count;
};
/// `alpha` is the rate corrected for the number of the update.
void update(const Adam& adam, float alpha);

}  // namespace lathe::bench::loops
