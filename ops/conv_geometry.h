#pragma once

#include <cstdint>
#include <source_location>

#include <lathe/graph/graph.h>

/// What convolution and its gradients share.
namespace lathe {

/// Where the ops conv2d and conv2d_filter_gradient read x: at i * strides + k * dilations - low.
struct ConvGeometry {
  Extents strides = {1, 1};
  Extents low = {0, 0};
  Extents high = {0, 0};
  Extents dilations = {1, 1};
  std::int64_t groups = 1;

  static ConvGeometry of(const Attributes& from);
  Attributes attributes() const;

  std::int64_t span(std::size_t a, std::int64_t window) const { return (window - 1) * dilations[a] + 1; }
  /// The extent of x along a spatial axis as windows see it.
  Dim padded(std::size_t a, const Dim& extent) const { return extent + Dim(low[a] + high[a]); }
  bool is_padded() const { return low != Extents{0, 0} || high != low; }
};

/// The op conv2d.
Value convolve(const Value& x, const Value& filter, const ConvGeometry& geometry,
               std::source_location where = std::source_location::current());

/// Images [N, H, W, C] with as many rows and columns of zeros more before and after them; negative numbers cut.
Value with_margins(Value x, const Extents& low, const Extents& high);

/// The gradient of a convolution with respect to its images, which have this shape: other convolutions, of dy.
Value convolution_input_gradient(const Value& filter, const Value& dy, const Shape& x, const ConvGeometry& geometry);

}  // namespace lathe
