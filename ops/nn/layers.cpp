#include <lathe/ops/nn/layers.h>

#include <fmt/format.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/conv.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/variable.h>

namespace lathe::nn {
namespace {

[[noreturn]] void fail(std::string_view layer, const std::source_location& where, std::string_view message) {
  throw GraphError(fmt::format("{} ({}): {}", layer, describe(SourceLine(where)), message));
}

}  // namespace

Value dense(Value x, std::int64_t units, const DenseOptions& options, std::source_location where) {
  const std::string layer = fmt::format("dense '{}'", options.name);
  if (!is_float(x.dtype()))
    fail(layer, where, fmt::format("takes floats, and x is {}: cast it first", to_string(x.dtype())));
  if (x.rank() < 2) fail(layer, where, fmt::format("takes rows [.., n], and x is {}", to_string(x.shape())));
  if (units < 1) fail(layer, where, fmt::format("needs at least one unit, {} given", units));
  const Dim inputs = x.shape().back();
  if (!inputs.is_constant()) {
    fail(layer, where,
         fmt::format("sizes its kernel by the last axis of x {}, which must be a number", to_string(x.shape())));
  }

  Graph& graph = x.graph();
  const Graph::Scope scope(graph, options.name);
  const auto parameter = [&](std::string_view name, const Shape& shape, const init::Initializer& initializer) {
    return variable(graph, name, initializer(graph, shape, x.dtype(), where), {}, where).value;
  };
  Value y = matmul(x, parameter("kernel", {inputs, units}, options.kernel_initializer), {}, where);
  if (options.use_bias) y = add(y, parameter("bias", {units}, options.bias_initializer), where);
  return options.activation(y, where);
}

Shape conv2d_kernel_shape(std::string_view layer, const Value& x, std::int64_t filters, Size2d kernel_size,
                          std::int64_t groups, std::source_location where) {
  if (!is_float(x.dtype()))
    fail(layer, where, fmt::format("takes floats, and x is {}: cast it first", to_string(x.dtype())));
  if (x.rank() != 4 || !x.shape()[3].is_constant()) {
    fail(layer, where, fmt::format("takes images [N, H, W, C] with C a number, and x is {}", to_string(x.shape())));
  }
  if (filters < 1) fail(layer, where, fmt::format("needs at least one filter, {} given", filters));
  const std::int64_t channels = x.shape()[3].constant();
  if (groups < 1 || channels % groups != 0) {
    fail(layer, where,
         fmt::format("cannot make {} groups of the {} channels of x {}", groups, channels, to_string(x.shape())));
  }
  return {kernel_size.height, kernel_size.width, channels / groups, filters};
}

Value conv2d(Value x, std::int64_t filters, Size2d kernel_size, const Conv2dLayerOptions& options,
             std::source_location where) {
  const Shape kernel =
      conv2d_kernel_shape(fmt::format("conv2d '{}'", options.name), x, filters, kernel_size, options.groups, where);
  Graph& graph = x.graph();
  const Graph::Scope scope(graph, options.name);
  const auto parameter = [&](std::string_view name, const Shape& shape, const init::Initializer& initializer) {
    return variable(graph, name, initializer(graph, shape, x.dtype(), where), {}, where).value;
  };
  Value y = lathe::conv2d(x, parameter("kernel", kernel, options.kernel_initializer),
                          {options.strides, options.padding, options.dilations, options.groups}, where);
  if (options.use_bias) y = add(y, parameter("bias", {filters}, options.bias_initializer), where);
  return options.activation(y, where);
}

}  // namespace lathe::nn
