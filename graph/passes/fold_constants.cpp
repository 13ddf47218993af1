#include <lathe/graph/passes/fold_constants.h>

#include <algorithm>
#include <optional>

#include <lathe/graph/rebuild.h>

namespace lathe {
namespace {

using Tensors = std::vector<std::shared_ptr<const Tensor>>;

std::optional<std::int64_t> bytes_of(std::span<const TensorType> types) {
  Dim bytes;
  for (const TensorType& type : types) {
    bytes = bytes + bytes_of(type);
  }
  return bytes.as_constant();
}

/// What is known so far, and how more is learnt.
class Folder {
 public:
  Folder(const Graph& graph, const Evaluator& evaluate, const FoldOptions& options)
      : graph_(graph), evaluate_(evaluate), options_(options), known_(graph.size()) {}

  /// Computes the node's outputs if they follow from constants; whether they do.
  bool learn(NodeId id) {
    const Node& node = graph_.node(id);
    Tensors& outputs = known_[static_cast<std::size_t>(id)];
    if (node.op->kind == Kind::constant) {
      outputs = {node.attributes.get<std::shared_ptr<const Tensor>>("value")};
      return true;
    }
    if (!is_pure(node.op->kind) || !node.control.empty() || depends_on_symbols(node)) return false;
    const auto inputs = known_inputs(node);
    if (!inputs || !is_small_enough(node, *inputs)) return false;
    try {
      for (Tensor& tensor : evaluate_(graph_, id, *inputs)) {
        outputs.push_back(std::make_shared<const Tensor>(std::move(tensor)));
      }
    } catch (const Error&) {
      outputs.clear();
    }
    return !outputs.empty();
  }

  const Tensors& outputs(NodeId id) const { return known_[static_cast<std::size_t>(id)]; }

 private:
  bool depends_on_symbols(const Node& node) const {
    return std::any_of(node.attributes.begin(), node.attributes.end(), [&](const Attributes::Entry& attribute) {
      const Shape* shape = std::get_if<Shape>(&attribute.second);
      if (!shape) return false;
      const Shape resolved = graph_.resolve(*shape);
      return !std::all_of(resolved.begin(), resolved.end(), [](const Dim& extent) { return extent.is_constant(); });
    });
  }

  std::optional<Tensors> known_inputs(const Node& node) const {
    Tensors tensors;
    for (const ValueId input : node.inputs) {
      const Tensors& known = outputs(input.node);
      if (known.empty()) return std::nullopt;
      tensors.push_back(known[input.output]);
    }
    return tensors;
  }

  bool is_small_enough(const Node& node, const Tensors& inputs) const {
    const auto bytes = bytes_of(node.outputs);
    std::int64_t input_bytes = 0;
    for (const auto& tensor : inputs) input_bytes += static_cast<std::int64_t>(tensor->bytes().size());
    return bytes && *bytes <= options_.max_bytes && *bytes - input_bytes <= options_.max_growth_bytes;
  }

  const Graph& graph_;
  const Evaluator& evaluate_;
  const FoldOptions& options_;
  std::vector<Tensors> known_;  // by node; empty for one that is not known
};

}  // namespace

Graph fold_constants(const Graph& graph, const Evaluator& evaluate, const Op& constant, const FoldOptions& options) {
  Folder folder(graph, evaluate, options);
  Rebuild rebuild(graph);
  for (const NodeId id : graph.node_ids()) {
    // Nodes without inputs are known, but as cheap as constants already.
    if (!folder.learn(id) || graph.node(id).inputs.empty()) {
      rebuild.copy(id);
      continue;
    }
    const Graph::InPlaceOf in_place(rebuild.graph(), graph, id);
    Values values;
    for (const auto& tensor : folder.outputs(id)) {
      values.push_back(rebuild.graph().apply({.op = constant, .attributes = {{"value", tensor}}}));
    }
    rebuild.replace(id, values);
  }
  return rebuild.finish();
}

}  // namespace lathe
