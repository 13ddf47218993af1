#pragma once

#include <span>
#include <vector>

#include <lathe/graph/graph.h>

namespace lathe {

/// Some of a graph's nodes.
class NodeSet {
 public:
  explicit NodeSet(const Graph& graph) : members_(graph.size()) {}

  void insert(NodeId id) { members_.at(static_cast<std::size_t>(id)) = true; }
  bool contains(NodeId id) const { return members_.at(static_cast<std::size_t>(id)); }
  std::size_t count() const;

 private:
  std::vector<bool> members_;
};

/// All nodes, each after those that it depends on through inputs and control. Found by walking the edges, so it also
/// holds for a graph whose order was broken. Throws std::logic_error for a cycle.
std::vector<NodeId> topological_order(const Graph& graph);

/// `roots` and everything that they depend on, through inputs and control.
NodeSet dependencies(const Graph& graph, std::span<const NodeId> roots);

/// `roots` and everything that depends on them, through inputs and control.
NodeSet dependents(const Graph& graph, std::span<const NodeId> roots);

/// What the graph's outputs depend on.
NodeSet live_nodes(const Graph& graph);

/// Sets of nodes that depend on each other in a circle; none in a graph that the API built.
std::vector<std::vector<NodeId>> cycles(const Graph& graph);

}  // namespace lathe
