#pragma once

#include <cstdint>
#include <random>
#include <utility>

#include <lathe/graph/tensor.h>

namespace lathe::test {

/// f32 numbers in [-1, 1], the same for the same seed.
inline Tensor noise(Extents shape, std::uint32_t seed) {
  std::mt19937 random(seed);
  Tensor tensor(f32, std::move(shape));
  for (float& element : tensor.data<float>()) element = static_cast<float>(random() % 4001) / 2000 - 1;
  return tensor;
}

}  // namespace lathe::test
