#pragma once

#include <cstdint>
#include <source_location>
#include <vector>

#include <lathe/graph/graph.h>
#include <lathe/ops/reshape.h>

/// Other orders and repetitions of the same elements; reshape.h comes along. They cost nothing: they become index maps
/// of whoever reads them. Axes may be negative and then count from the end. GraphError is thrown for axes that do not
/// exist and shapes that do not fit.
namespace lathe {

namespace op {
extern const Op transpose;
extern const Op broadcast_to;
}  // namespace op

/// Axis k of the result is axis perm[k] of x; without `perm` the order of the axes is reversed.
/// Gradient: dx = dy with the axes back in their places.
Value transpose(Value x, std::vector<std::int64_t> perm = {},
                std::source_location where = std::source_location::current());

/// x stretched to `shape` by NumPy's rules: axes of extent 1 are repeated, new axes come first.
/// Gradient: dy summed over the stretched axes.
Value broadcast_to(Value x, Shape shape, std::source_location where = std::source_location::current());

}  // namespace lathe
