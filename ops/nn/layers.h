#pragma once

#include <cstdint>
#include <source_location>
#include <string>

#include <lathe/graph/graph.h>
#include <lathe/ops/nn/activation.h>
#include <lathe/ops/nn/initializers.h>

/// Layers with parameters, as functions: each appends nodes and variables to the graph of its input. Layers without are
/// ordinary functions: flatten (ops/shape.h), dropout (ops/random.h), Activation.
namespace lathe::nn {

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

}  // namespace lathe::nn
