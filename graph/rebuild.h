#pragma once

#include <optional>
#include <span>
#include <vector>

#include <lathe/graph/graph.h>

namespace lathe {

/// How a pass makes its graph: node by node from the old one, each copied, replaced or dropped, in order. Keeps track
/// of what became of every value, so that inputs, control edges and outputs follow by themselves.
class Rebuild {
 public:
  /// Starts an empty graph that knows what `from` knows of extents. `from` must outlive the rebuild.
  explicit Rebuild(const Graph& from);

  /// The graph under construction.
  Graph& graph() { return to_; }
  /// What an old value is now. The node must have been copied or replaced.
  ValueId now(ValueId old) const;
  /// The same as a handle.
  Value value(ValueId old) { return {to_, now(old)}; }
  /// What a node's inputs are now.
  std::vector<ValueId> inputs(NodeId old) const;
  Values input_values(NodeId old);
  /// What a node's control nodes are now: each once, in order; dropped ones are left out.
  std::vector<NodeId> control(NodeId old) const;

  /// Appends a copy of the node: same attributes, name, line and origin.
  NodeId copy(NodeId old);
  /// Uses these values of the new graph for the node's outputs, and their nodes for control edges to it.
  void replace(NodeId old, std::span<const Value> with);

  /// The new graph, with its outputs. Nodes neither copied nor replaced are gone; no output may need one.
  Graph finish();

 private:
  const Graph& from_;
  Graph to_;
  std::vector<std::vector<ValueId>> values_;  // by old node; empty for one that is gone
  std::vector<std::vector<NodeId>> nodes_;    // by old node: what control edges to it now lead to
};

}  // namespace lathe
