#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <lathe/graph/graph.h>

namespace lathe {

/// The axes that a list of axes of a rank-`rank` tensor means, ascending: negative ones count from the end, none at all
/// means every axis. Fails through `context` for an axis out of range or named twice.
std::vector<std::size_t> resolve_axes(const InferContext& context, const Extents& axes, std::size_t rank);
/// The same for a list that a type rule has accepted.
std::vector<std::size_t> resolve_axes(const Extents& axes, std::size_t rank);

/// One axis, from the end if negative. Fails through `context` if it is out of range.
std::size_t resolve_axis(const InferContext& context, std::int64_t axis, std::size_t rank);
std::size_t resolve_axis(std::int64_t axis, std::size_t rank);

/// `shape` reduced over `axes` (ascending): without them, or with extent 1 in their place.
Shape reduced_shape(const Shape& shape, std::span<const std::size_t> axes, bool keep_dims);

/// The product of the extents along `axes`.
Dim count_along(const Shape& shape, std::span<const std::size_t> axes);

}  // namespace lathe
