#include <lathe/runtime/slots.h>

#include <algorithm>
#include <set>

#include <lathe/codegen/loop/expr.h>

namespace lathe {
namespace {

/// The variables whose old value something in the graph uses.
std::set<NodeId> variables_read(const Graph& graph) {
  std::set<NodeId> read;
  const auto note = [&](ValueId value) {
    if (graph.node(value.node).op->kind == Kind::variable) read.insert(value.node);
  };
  for (const NodeId id : graph.node_ids()) {
    const Node& node = graph.node(id);
    const std::size_t targets = node.op->kind == Kind::assign ? 1 : 0;
    for (std::size_t i = targets; i < node.inputs.size(); ++i) note(node.inputs[i]);
  }
  for (const Graph::Output& output : graph.outputs()) note(output.value);
  return read;
}

std::set<NodeId> variables_assigned(const Graph& graph) {
  std::set<NodeId> assigned;
  for (const NodeId id : graph.node_ids()) {
    if (graph.node(id).op->kind == Kind::assign) assigned.insert(graph.node(id).inputs[0].node);
  }
  return assigned;
}

}  // namespace

bool Slots::use_seed() const {
  return std::any_of(inputs.begin(), inputs.end(), [](const auto& feed) { return !feed; });
}

// The slots of a program are its graph's placeholders and variables, in the graph's order.
Slots slots_of(const Extraction& extraction, std::span<const ValueId> feeds, const Graph& optimised,
               const Program& program) {
  Slots out;
  const std::set<NodeId> read = variables_read(optimised);
  const std::set<NodeId> assigned = variables_assigned(optimised);
  for (const NodeId id : optimised.node_ids()) {
    const Node& node = optimised.node(id);
    if (node.op->kind == Kind::variable) {
      out.variables.push_back({extraction.variables.at(node.name), read.contains(id), assigned.contains(id)});
    }
    if (node.op->kind != Kind::placeholder) continue;
    const auto& fed = extraction.inputs.at(node.name);
    out.inputs.push_back(
        fed ? std::optional(static_cast<std::size_t>(std::find(feeds.begin(), feeds.end(), *fed) - feeds.begin()))
            : std::nullopt);
  }
  ensure(out.inputs.size() == program.inputs.size(), "a program has other inputs than its graph");
  ensure(out.variables.size() == program.variables.size(), "a program has other variables than its graph");
  for (const SymbolId symbol : program.symbols) out.symbols.push_back(optimised.resolve(Dim(symbol)));
  return out;
}

std::vector<DoubtfulExtent> doubtful_extents(const Graph& graph) {
  std::vector<DoubtfulExtent> out;
  for (const NodeId id : graph.node_ids()) {
    const Node& node = graph.node(id);
    for (const TensorType& type : node.outputs) {
      for (std::size_t axis = 0; axis < type.rank(); ++axis) {
        if (!loop::never_negative(type.shape[axis])) out.push_back({type.shape[axis], describe(node), axis});
      }
    }
  }
  return out;
}

}  // namespace lathe
