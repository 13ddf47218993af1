#include <lathe/graph/passes/simplify.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <lathe/graph/rebuild.h>
#include <lathe/graph/traversal.h>

namespace lathe {
namespace {

/// Rewrites shrink graphs, so a sweep that is far from the last means two rules that undo each other.
constexpr int most_sweeps = 100;

/// Nodes through which a run carries out an effect or an assignment.
NodeSet effectful_nodes(const Graph& graph) {
  std::vector<NodeId> roots;
  for (const NodeId id : graph.node_ids()) {
    if (has_effect(graph.node(id).op->kind)) roots.push_back(id);
  }
  return dependents(graph, roots);
}

struct Sweep {
  Graph graph;
  const Rewrite* applied = nullptr;  // the last, if any
};

Sweep sweep(const Graph& graph) {
  const NodeSet effectful = effectful_nodes(graph);
  Rebuild rebuild(graph);
  const Rewrite* applied = nullptr;

  const auto keeps_effects = [&](NodeId id, const Value& with) {
    std::vector<NodeId> needed;
    for (const ValueId input : graph.node(id).inputs) {
      if (effectful.contains(input.node)) needed.push_back(rebuild.now(input).node);
    }
    if (needed.empty()) return true;
    const NodeSet kept = dependencies(rebuild.graph(), std::array{with.id().node});
    return std::all_of(needed.begin(), needed.end(), [&](NodeId node) { return kept.contains(node); });
  };

  const auto rewritten = [&](NodeId id) -> std::optional<Value> {
    const Node& node = graph.node(id);
    if (node.outputs.size() != 1 || !node.control.empty()) return std::nullopt;
    const Values inputs = rebuild.input_values(id);
    const Graph::InPlaceOf in_place(rebuild.graph(), graph, id);
    const RewriteContext context{rebuild.graph(), *node.op, inputs, node.attributes, node.outputs};
    for (const Rewrite& rewrite : node.op->rewrites) {
      const auto with = rewrite.apply(context);
      if (!with || !keeps_effects(id, *with)) continue;
      applied = &rewrite;
      return with;
    }
    return std::nullopt;
  };

  for (const NodeId id : graph.node_ids()) {
    if (const auto with = rewritten(id)) {
      rebuild.replace(id, std::array{*with});
    } else {
      rebuild.copy(id);
    }
  }
  return {rebuild.finish(), applied};
}

}  // namespace

Graph simplify(const Graph& graph) {
  Sweep last = sweep(graph);
  for (int sweeps = 1; last.applied; ++sweeps) {
    if (sweeps == most_sweeps) ensure(false, fmt::format("rewrite '{}' applies without end", last.applied->name));
    last = sweep(last.graph);
  }
  return std::move(last.graph);
}

}  // namespace lathe
