#pragma once

#include <cstdint>
#include <source_location>
#include <vector>

#include <lathe/graph/graph.h>

/// Other shapes for the same elements. They cost nothing: they become index maps of whoever reads them. Axes may be
/// negative and then count from the end. Gradients move dy back. GraphError is thrown for axes that do not exist and
/// shapes that do not fit; where extents are symbolic, for what cannot be shown to fit.
namespace lathe {

namespace op {
extern const Op reshape;
extern const Op transpose;
extern const Op expand_dims;
extern const Op squeeze;
extern const Op broadcast_to;
}  // namespace op

/// The same elements in row-major order under another shape. One extent may be `None` (or -1): it takes what is left,
/// which must be exact, also where extents are symbolic: [batch, 28, 28] to {None, 784} gives [batch, 784].
Value reshape(Value x, Shape shape, std::source_location where = std::source_location::current());

/// reshape(x, {batch, None}): keeps the first `kept` axes and joins the others.
Value flatten(Value x, std::size_t kept = 1, std::source_location where = std::source_location::current());

/// Axis k of the result is axis perm[k] of x; without `perm` the order of the axes is reversed.
Value transpose(Value x, std::vector<std::int64_t> perm = {},
                std::source_location where = std::source_location::current());

/// A new axis of extent 1 at position `axis` of the result.
Value expand_dims(Value x, std::int64_t axis, std::source_location where = std::source_location::current());

/// Without the given axes, whose extents must be 1; without any given, all axes of extent 1.
Value squeeze(Value x, std::vector<std::int64_t> axes = {},
              std::source_location where = std::source_location::current());

/// x stretched to `shape` by NumPy's rules: axes of extent 1 are repeated, new axes come first.
/// Gradient: dy summed over the stretched axes.
Value broadcast_to(Value x, Shape shape, std::source_location where = std::source_location::current());

}  // namespace lathe
