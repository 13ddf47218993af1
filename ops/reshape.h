#pragma once

#include <cstdint>
#include <source_location>
#include <vector>

#include <lathe/graph/graph.h>

/// Other shapes for the same elements in the same row-major order. They cost nothing: they become index maps of whoever
/// reads them. Axes may be negative and then count from the end. Gradients give dy the shape of x. GraphError is thrown
/// for axes that do not exist and shapes that do not fit; where extents are symbolic, for what cannot be shown to fit.
namespace lathe {

namespace op {
extern const Op reshape;
extern const Op expand_dims;
extern const Op squeeze;
}  // namespace op

/// The same elements in row-major order under another shape. One extent may be `None` (or -1): it takes what is left,
/// which must be exact, also where extents are symbolic: [batch, 28, 28] to {None, 784} gives [batch, 784].
Value reshape(Value x, Shape shape, std::source_location where = std::source_location::current());

/// reshape(x, {batch, None}): keeps the first `kept` axes and joins the others.
Value flatten(Value x, std::size_t kept = 1, std::source_location where = std::source_location::current());

/// A new axis of extent 1 at position `axis` of the result.
Value expand_dims(Value x, std::int64_t axis, std::source_location where = std::source_location::current());

/// Without the given axes, whose extents must be 1; without any given, all axes of extent 1.
Value squeeze(Value x, std::vector<std::int64_t> axes = {},
              std::source_location where = std::source_location::current());

}  // namespace lathe
