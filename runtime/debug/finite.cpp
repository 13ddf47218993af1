#include <lathe/runtime/debug/finite.h>

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/graph/passes/assert_finite.h>

namespace lathe::debug {
std::optional<std::int64_t> first_not_finite(const Tensor& tensor) {
  if (!is_float(tensor.dtype())) return std::nullopt;
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    if (!std::isfinite(tensor.at(i))) return i;
  }
  return std::nullopt;
}

std::string element_is(const Tensor& tensor, std::int64_t flat) {
  const double x = tensor.at(flat);
  const char* what = std::isnan(x) ? "NaN" : x > 0 ? "infinity" : "-infinity";
  if (tensor.rank() == 0) return fmt::format("its value is {}", what);
  Extents index(tensor.rank());
  for (std::size_t d = tensor.rank(); d-- > 0; flat /= tensor.shape()[d]) index[d] = flat % tensor.shape()[d];
  return fmt::format("element [{}] is {}", fmt::join(index, ", "), what);
}

void require_finite(const Graph& graph, ValueId value, const std::function<const Tensor&(ValueId)>& tensor_of) {
  const Node& node = graph.node(value.node);
  if (!asserts_finite(node)) return;
  const Tensor& tensor = tensor_of(value);
  const auto bad = first_not_finite(tensor);
  if (!bad) return;
  std::string message = fmt::format("{}: {}", describe(node), element_is(tensor, *bad));
  // What arithmetic made before was finite, so an input that is not was fed or held.
  for (const ValueId input : node.inputs) {
    if (const auto held = first_not_finite(tensor_of(input))) {
      message +=
          fmt::format("; its input {}: {}", describe(graph.node(input.node)), element_is(tensor_of(input), *held));
      break;
    }
  }
  throw RunError(message);
}

}  // namespace lathe::debug
