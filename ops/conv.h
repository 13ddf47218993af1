#pragma once

#include <cstdint>
#include <source_location>

#include <lathe/graph/graph.h>
#include <lathe/ops/windows.h>

namespace lathe {

namespace op {
extern const Op conv2d;
extern const Op conv2d_filter_gradient;
}  // namespace op

struct Conv2dOptions {
  Size2d strides = 1;
  Padding padding = Padding::valid;
  Size2d dilations = 1;  // how far apart the filter's elements lie on the image
  std::int64_t groups = 1;
};

/// y[n, i, j, o] = sum over k, l, c of x[n, i * strides + k * dilations, .., c] * filter[k, l, c, o], where x is
/// surrounded by zeros as `padding` says.  x: [N, H, W, C], filter: [KH, KW, C / groups, OC], of one float dtype, KH
/// and KW numbers; y: [N, OH, OW, OC]. Output channels come in `groups` groups, each of which sees one group of input
/// channels. The sum is one chain of fused multiply-adds in ascending (k, l, c).
///
/// Padded pixels are multiplied like others: an infinite weight gives NaN at the edges.
///
/// Gradient: dx = a convolution of dy with the filter turned round and its channels exchanged, one for each phase of
/// the strides with the elements of the filter that it meets; dfilter[k, l, c, o] = sum over n, i, j of x[n, i *
/// strides + k * dilations, .., c] * dy[n, i, j, o], by the op conv2d_filter_gradient, whose gradients are a
/// convolution each.
///
/// Throws GraphError for other ranks and dtypes, channels that do not fit, windows that are larger than the image with
/// its padding, or a number of windows that is no polynomial in the image's symbolic extents.
Value conv2d(Value x, Value filter, const Conv2dOptions& options = {},
             std::source_location where = std::source_location::current());

}  // namespace lathe
