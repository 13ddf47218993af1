#include <lathe/graph/shape.h>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe {

Dim element_count(const Shape& shape) {
  Dim count(1);
  for (const Dim& extent : shape) count = count * extent;
  return count;
}

Dim bytes_of(const TensorType& type) {
  return element_count(type.shape) * Dim(static_cast<std::int64_t>(size_of(type.dtype)));
}

std::int64_t element_count(std::span<const std::int64_t> extents) {
  std::int64_t count = 1;
  bool overflow = false;
  for (const std::int64_t extent : extents) {
    if (extent == 0) return 0;
    overflow |= __builtin_mul_overflow(count, extent, &count);
  }
  if (overflow)
    throw RunError(
        fmt::format("a tensor of shape [{}] has more elements than 64 bits count", fmt::join(extents, ", ")));
  return count;
}

Shape row_major_strides(const Shape& shape) {
  Shape strides(shape.size(), Dim(1));
  for (std::size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

Extents evaluate(const Shape& shape, const Bindings& bindings) {
  Extents extents;
  extents.reserve(shape.size());
  for (const Dim& extent : shape) extents.push_back(extent.evaluate(bindings));
  return extents;
}

Shape to_shape(const Extents& extents) {
  return {extents.begin(), extents.end()};
}

std::string to_string(const Shape& shape) {
  std::vector<std::string> parts;
  for (const Dim& extent : shape) parts.push_back(to_string(extent));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::string to_string(const Extents& extents) {
  return fmt::format("[{}]", fmt::join(extents, ", "));
}

std::string to_string(const TensorType& type) {
  return fmt::format("{} {}", to_string(type.dtype), to_string(type.shape));
}

}  // namespace lathe
