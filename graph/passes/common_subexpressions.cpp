#include <lathe/graph/passes/common_subexpressions.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

#include <lathe/graph/rebuild.h>

namespace lathe {
namespace {

/// What makes two nodes of the new graph compute the same.
struct Expression {
  const Op* op;
  std::vector<ValueId> inputs;
  std::vector<NodeId> control;  // sorted
  const Attributes* attributes;

  bool operator==(const Expression& other) const {
    return op == other.op && inputs == other.inputs && control == other.control && *attributes == *other.attributes;
  }
};

struct HashExpression {
  std::size_t operator()(const Expression& expression) const {
    std::size_t hash = std::hash<const Op*>{}(expression.op);
    const auto mix = [&](std::size_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL + (hash >> 29); };
    for (const ValueId input : expression.inputs) {
      mix(static_cast<std::size_t>(input.node));
      mix(input.output);
    }
    for (const NodeId control : expression.control) mix(static_cast<std::size_t>(control));
    for (const auto& [name, value] : *expression.attributes) mix(hash_of(value));
    return hash;
  }
};

}  // namespace

Graph eliminate_common_subexpressions(const Graph& graph) {
  Rebuild rebuild(graph);
  std::unordered_map<Expression, NodeId, HashExpression> known;
  for (const NodeId id : graph.node_ids()) {
    const Node& node = graph.node(id);
    if (!is_pure(node.op->kind)) {
      rebuild.copy(id);
      continue;
    }
    std::vector<NodeId> control = rebuild.control(id);
    std::sort(control.begin(), control.end());
    const Expression expression{node.op, rebuild.inputs(id), std::move(control), &node.attributes};
    const auto found = known.find(expression);
    if (found == known.end()) {
      known.emplace(expression, rebuild.copy(id));
      continue;
    }
    Values outputs;
    for (std::uint32_t output = 0; output < node.outputs.size(); ++output) {
      outputs.push_back({rebuild.graph(), {found->second, output}});
    }
    rebuild.replace(id, outputs);
  }
  return rebuild.finish();
}

}  // namespace lathe
