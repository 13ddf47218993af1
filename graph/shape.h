#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <lathe/graph/dim.h>
#include <lathe/graph/dtype.h>

namespace lathe {

/// The extents of a tensor, outermost first; empty for a scalar. Layout is row-major.
using Shape = std::vector<Dim>;
/// The same with numbers only.
using Extents = std::vector<std::int64_t>;

/// What is known of a tensor before it exists.
struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  std::size_t rank() const { return shape.size(); }
  bool operator==(const TensorType&) const = default;
};

Dim element_count(const Shape& shape);
std::int64_t element_count(std::span<const std::int64_t> extents);
/// The memory that the elements take.
Dim bytes_of(const TensorType& type);
/// Distance in elements between neighbours along each axis of a row-major tensor.
Shape row_major_strides(const Shape& shape);
Extents evaluate(const Shape& shape, const Bindings& bindings);
Shape to_shape(const Extents& extents);

/// "[batch, 784]"
std::string to_string(const Shape& shape);
std::string to_string(const Extents& extents);
/// "f32 [batch, 784]"
std::string to_string(const TensorType& type);

}  // namespace lathe
