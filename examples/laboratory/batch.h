#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <lathe/graph/tensor.h>

namespace lathe::laboratory {

/// Examples that lie one after the other in the data set, borrowed: what a step is given.
struct Batch {
  std::int64_t size;
  const std::uint8_t* pixels;   // [size, 784]
  const std::uint8_t* classes;  // [size]
  std::array<std::int64_t, 2> extents = {size, 784};

  TensorView images() const { return {DType::u8, extents, reinterpret_cast<const std::byte*>(pixels)}; }
  TensorView labels() const {
    return {DType::u8, std::span(extents).first(1), reinterpret_cast<const std::byte*>(classes)};
  }
};

}  // namespace lathe::laboratory
