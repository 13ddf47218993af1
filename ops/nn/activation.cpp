#include <lathe/ops/nn/activation.h>

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/ops/math.h>
#include <lathe/ops/softmax.h>

namespace lathe::nn {
namespace {

using Function = std::function<Value(Value, std::source_location)>;

const std::vector<std::pair<std::string_view, Function>>& named() {
  static const std::vector<std::pair<std::string_view, Function>> functions = {
      {"linear", {}},
      {"relu", lathe::relu},
      {"sigmoid", lathe::sigmoid},
      {"tanh", lathe::tanh},
      {"softplus", lathe::softplus},
      {"softmax", [](Value x, std::source_location where) { return softmax(x, -1, where); }},
  };
  return functions;
}

}  // namespace

Activation::Activation(std::function<Value(Value)> function) {
  if (!function) return;
  function_ = [function = std::move(function)](Value x, std::source_location) { return function(x); };
}

Activation::Activation(std::string_view name, std::source_location where) {
  std::vector<std::string_view> known;
  for (const auto& [other, function] : named()) {
    if (other == name) {
      function_ = function;
      return;
    }
    known.push_back(other);
  }
  throw GraphError(fmt::format("activation ({}): there is no '{}'; there are {}", describe(SourceLine(where)), name,
                               fmt::join(known, ", ")));
}

Value Activation::operator()(Value x, std::source_location where) const {
  return function_ ? function_(x, where) : x;
}

}  // namespace lathe::nn
