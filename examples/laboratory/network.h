#pragma once

#include <array>
#include <cstdint>

#include <lathe/lathe.h>

namespace lathe::laboratory {

/// The network, once for all of Lathe's ways: 784 pixels, 128 hidden units, 10 classes. What loss_of() is given decides
/// when it computes: with arrays at once, with placeholders and variables of a graph when a session runs.
inline constexpr std::int64_t pixels = 784;
inline constexpr std::array<const char*, 4> weight_names = {"w1", "b1", "w2", "b2"};
inline const std::array<Extents, 4> weight_extents = {Extents{pixels, 128}, {128}, {128, 10}, {10}};

/// images: u8 [n, 784], labels: u8 [n], weights: w1, b1, w2, b2. The mean loss, f32 [].
inline Value loss_of(const Value& images, const Value& labels, const Values& weights) {
  const Value hidden = relu(matmul(cast(images, f32) * (1.0 / 255), weights[0]) + weights[1]);
  const Value logits = matmul(hidden, weights[2]) + weights[3];
  return mean(sparse_softmax_cross_entropy(labels, logits));
}

}  // namespace lathe::laboratory
