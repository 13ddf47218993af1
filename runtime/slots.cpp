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
SlotNames slot_names(const Graph& optimised) {
  SlotNames out;
  const std::set<NodeId> read = variables_read(optimised);
  const std::set<NodeId> assigned = variables_assigned(optimised);
  for (const NodeId id : optimised.node_ids()) {
    const Node& node = optimised.node(id);
    if (node.op->kind == Kind::variable) out.variables.push_back({node.name, read.contains(id), assigned.contains(id)});
    if (node.op->kind == Kind::placeholder) out.inputs.push_back(node.name);
  }
  return out;
}

Slots slots_of(const Extraction& extraction, std::span<const ValueId> feeds, const SlotNames& names,
               std::span<const SymbolId> symbols) {
  Slots out;
  for (const auto& [name, read, assigned] : names.variables) {
    out.variables.push_back({extraction.variables.at(name), read, assigned});
  }
  for (const std::string& name : names.inputs) {
    const auto& fed = extraction.inputs.at(name);
    out.inputs.push_back(
        fed ? std::optional(static_cast<std::size_t>(std::find(feeds.begin(), feeds.end(), *fed) - feeds.begin()))
            : std::nullopt);
  }
  for (const SymbolId symbol : symbols) out.symbols.push_back(extraction.graph.resolve(Dim(symbol)));
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
