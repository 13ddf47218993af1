#pragma once

#include <optional>
#include <source_location>

#include <lathe/graph/graph.h>
#include <lathe/ops/windows.h>

namespace lathe {

namespace op {
extern const Op max_pool2d;
}  // namespace op

struct PoolOptions {
  std::optional<Size2d> strides = std::nullopt;  // the window's size if not given
  Padding padding = Padding::valid;
};

/// The largest element of each window: y[n, i, j, c] = max over k, l of x[n, i * strides + k, j * strides + l, c]; NaN
/// if any is NaN.  x: floats [N, H, W, C], y: [N, OH, OW, C]. Padding is never larger than an element. Gradient: dy
/// goes to the first of the largest elements in row-major order, as in TensorFlow; an element gets the sum over all
/// windows that it is the largest of. Throws GraphError if x is no such image or a window is larger than it.
Value max_pool2d(Value x, Size2d window, const PoolOptions& options = {},
                 std::source_location where = std::source_location::current());

/// The mean of each window's elements, of those that are x's and not padding.  x: floats [N, H, W, C], y: [N, OH, OW,
/// C]. Gradient: dx = the sum of dy / count over the windows that an element is in. Throws GraphError as max_pool2d
/// does.
Value avg_pool2d(Value x, Size2d window, const PoolOptions& options = {},
                 std::source_location where = std::source_location::current());

}  // namespace lathe
