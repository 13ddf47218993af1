#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lathe/graph/graph.h>

namespace lathe {

/// The part of a user's graph that one kind of run needs, on its own.
struct Extraction {
  Graph graph;  // outputs: one a fetch, in their order
  /// The user's value behind each node of Kind::placeholder, by that node's name; nothing for the run's seed, which the
  /// session feeds.
  std::map<std::string, std::optional<ValueId>, std::less<>> inputs;
  /// The user's node behind each node of Kind::variable, by that node's name.
  std::map<std::string, NodeId, std::less<>> variables;
};

/// Cuts out what `fetches` need, through inputs and control dependencies, when the values in `feeds` are given. Any
/// value may be fed: a placeholder of its type takes its place, and what only it needed falls away. Feeding a variable
/// replaces what reads it, not what it is assigned.
/// Throws RunError if a placeholder is needed and not fed.
Extraction extract(const Graph& graph, std::span<const ValueId> fetches, std::span<const ValueId> feeds);

/// The assignments that give variables their first values (attribute "initializer").
std::vector<ValueId> initializers(const Graph& graph);

/// Cuts out the initializers; the one output says that all are done. Where an initial value reads another variable, it
/// gets that one's initial value. Throws RunError if an initial value needs a placeholder.
Extraction extract_initializers(const Graph& graph);

}  // namespace lathe
