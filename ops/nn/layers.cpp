#include <lathe/ops/nn/layers.h>

#include <fmt/format.h>

#include <lathe/ops/arithmetic.h>
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

}  // namespace lathe::nn
