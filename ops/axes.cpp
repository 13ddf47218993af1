#include <lathe/ops/axes.h>

#include <algorithm>

#include <fmt/format.h>

namespace lathe {

std::size_t resolve_axis(std::int64_t axis, std::size_t rank) {
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
}

std::size_t resolve_axis(const InferContext& context, std::int64_t axis, std::size_t rank) {
  const auto bound = static_cast<std::int64_t>(rank);
  if (rank == 0) context.fail(fmt::format("a scalar has no axis {}", axis));
  if (axis < -bound || axis >= bound) {
    context.fail(fmt::format("axis {} is outside [-{}, {}): the input has rank {}", axis, rank, rank, rank));
  }
  return resolve_axis(axis, rank);
}

std::vector<std::size_t> resolve_axes(const Extents& axes, std::size_t rank) {
  std::vector<std::size_t> resolved;
  for (const std::int64_t axis : axes) resolved.push_back(resolve_axis(axis, rank));
  if (axes.empty()) {
    for (std::size_t axis = 0; axis < rank; ++axis) resolved.push_back(axis);
  }
  std::sort(resolved.begin(), resolved.end());
  return resolved;
}

std::vector<std::size_t> resolve_axes(const InferContext& context, const Extents& axes, std::size_t rank) {
  for (const std::int64_t axis : axes) resolve_axis(context, axis, rank);
  std::vector<std::size_t> resolved = resolve_axes(axes, rank);
  const auto twice = std::adjacent_find(resolved.begin(), resolved.end());
  if (twice != resolved.end()) context.fail(fmt::format("axis {} is named twice in {}", *twice, to_string(axes)));
  return resolved;
}

Shape reduced_shape(const Shape& shape, std::span<const std::size_t> axes, bool keep_dims) {
  Shape reduced;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) {
      reduced.push_back(shape[axis]);
    } else if (keep_dims) {
      reduced.emplace_back(1);
    }
  }
  return reduced;
}

Dim count_along(const Shape& shape, std::span<const std::size_t> axes) {
  Dim count = 1;
  for (const std::size_t axis : axes) count = count * shape[axis];
  return count;
}

}  // namespace lathe
