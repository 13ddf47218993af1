#include <lathe/graph/passes/fold_constants.h>

#include <optional>

#include <lathe/graph/rebuild.h>

namespace lathe {
namespace {

using Constants = std::vector<std::shared_ptr<const Tensor>>;

/// The tensors behind a node's inputs, if all are constants.
std::optional<Constants> constant_inputs(const Values& inputs) {
  Constants constants;
  for (const Value& input : inputs) {
    if (input.node().op->kind != Kind::constant) return std::nullopt;
    constants.push_back(input.node().attributes.get<std::shared_ptr<const Tensor>>("value"));
  }
  return constants;
}

std::optional<std::int64_t> bytes_of(std::span<const TensorType> types) {
  Dim bytes;
  for (const TensorType& type : types) {
    bytes = bytes + element_count(type.shape) * Dim(static_cast<std::int64_t>(size_of(type.dtype)));
  }
  return bytes.as_constant();
}

}  // namespace

Graph fold_constants(const Graph& graph, const Evaluator& evaluate, const Op& constant, const FoldOptions& options) {
  Rebuild rebuild(graph);

  const auto folded = [&](NodeId id) -> std::optional<std::vector<Tensor>> {
    const Node& node = graph.node(id);
    if (!is_pure(node.op->kind) || node.op->kind == Kind::constant || !node.control.empty()) return std::nullopt;
    const auto constants = constant_inputs(rebuild.input_values(id));
    if (!constants) return std::nullopt;
    const auto bytes = bytes_of(node.outputs);
    std::int64_t input_bytes = 0;
    for (const auto& tensor : *constants) input_bytes += static_cast<std::int64_t>(tensor->bytes().size());
    if (!bytes || *bytes > options.max_bytes || *bytes - input_bytes > options.max_growth_bytes) return std::nullopt;
    try {
      return evaluate(graph, id, *constants);
    } catch (const Error&) {
      return std::nullopt;
    }
  };

  for (const NodeId id : graph.node_ids()) {
    auto tensors = folded(id);
    if (!tensors) {
      rebuild.copy(id);
      continue;
    }
    const Graph::InPlaceOf in_place(rebuild.graph(), graph, id);
    Values values;
    for (Tensor& tensor : *tensors) {
      auto value = std::make_shared<const Tensor>(std::move(tensor));
      values.push_back(rebuild.graph().apply({.op = constant, .attributes = {{"value", std::move(value)}}}));
    }
    rebuild.replace(id, values);
  }
  return rebuild.finish();
}

}  // namespace lathe
