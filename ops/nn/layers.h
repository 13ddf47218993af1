#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

#include <lathe/graph/graph.h>
#include <lathe/ops/nn/activation.h>
#include <lathe/ops/nn/initializers.h>
#include <lathe/ops/pool.h>
#include <lathe/ops/windows.h>

/// Layers with parameters, as functions: each appends nodes and variables to the graph of its input. Layers without are
/// ordinary functions: flatten (ops/shape.h), dropout (ops/random.h), max_pool2d and avg_pool2d (ops/pool.h),
/// Activation.
namespace lathe::nn {

using lathe::avg_pool2d;
using lathe::max_pool2d;

struct DenseOptions {
  Activation activation = {};
  bool use_bias = true;
  init::Initializer kernel_initializer = init::glorot_uniform;
  init::Initializer bias_initializer = init::zeros;
  std::string name = "dense";  // of the scope; a second one becomes "dense_1"
};

/// activation(x kernel + bias).  x: floats [.., n], with n a number; the result is [.., units]. Makes the trainable
/// variables "dense/kernel" [n, units] and "dense/bias" [units].
Value dense(Value x, std::int64_t units, const DenseOptions& options = {},
            std::source_location where = std::source_location::current());

struct Conv2dLayerOptions {
  Activation activation = {};
  Size2d strides = 1;
  Padding padding = Padding::valid;
  Size2d dilations = 1;
  std::int64_t groups = 1;
  bool use_bias = true;
  init::Initializer kernel_initializer = init::glorot_uniform;
  init::Initializer bias_initializer = init::zeros;
  std::string name = "conv2d";  // of the scope; a second one becomes "conv2d_1"
};

/// activation(conv2d(x, kernel) + bias) with ops/conv.h's convolution.  x: float images [N, H, W, C], with C a number;
/// the result is [N, OH, OW, filters]. Makes the trainable variables "conv2d/kernel" [height, width, C / groups,
/// filters] and "conv2d/bias" [filters].
Value conv2d(Value x, std::int64_t filters, Size2d kernel_size, const Conv2dLayerOptions& options = {},
             std::source_location where = std::source_location::current());

/// The shape of the kernel that a convolution of images like x needs. Throws GraphError, which begins with `layer`,
/// unless x is of floats [N, H, W, C], C is a number that makes `groups` groups, and there are filters.
Shape conv2d_kernel_shape(std::string_view layer, const Value& x, std::int64_t filters, Size2d kernel_size,
                          std::int64_t groups, std::source_location where);

}  // namespace lathe::nn
