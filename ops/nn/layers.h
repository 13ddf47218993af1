#pragma once

#include <cstdint>
#include <source_location>
#include <string>

#include <lathe/graph/graph.h>
#include <lathe/ops/nn/activation.h>
#include <lathe/ops/nn/initializers.h>

/// Layers as functions: each appends nodes and variables to the graph of its input.
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

struct DropoutOptions {
  bool training = true;  // otherwise x comes back as it is
  std::string name = "dropout";
};

/// x with each element set to 0 with probability `rate` in [0, 1), the others divided by 1 - rate so that the mean stays.
/// Another choice of elements in every run; the same in the gradient.
/// Srivastava et al., JMLR 15, 2014.
Value dropout(Value x, double rate, const DropoutOptions& options = {},
              std::source_location where = std::source_location::current());

/// The variables that training may change, in the order in which they were made.
Values trainable_variables(Graph& graph);

}  // namespace lathe::nn
