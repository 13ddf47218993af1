#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <lathe/graph/attribute.h>
#include <lathe/graph/shape.h>
#include <lathe/graph/source_line.h>

namespace lathe {

class Op;
class Graph;

enum class NodeId : std::uint32_t {};

/// One output of a node, without the graph it lives in.
struct ValueId {
  NodeId node{};
  std::uint32_t output = 0;
  auto operator<=>(const ValueId&) const = default;
};

/// One way in which a node depends on another.
struct Edge {
  NodeId user{};
  std::uint32_t slot = 0;  // counts the user's inputs, then its control nodes
  auto operator<=>(const Edge&) const = default;
};

/// One use of an op in a graph.
struct Node {
  const Op* op = nullptr;
  std::vector<ValueId> inputs;
  std::vector<NodeId> control;  // nodes whose effects come first, though no value flows
  Attributes attributes;
  std::vector<TensorType> outputs;     // inferred
  std::string name;                    // unique in the graph, scopes separated by '/': "dense_1/matmul"
  SourceLine where;                    // the user's call
  std::optional<std::string> forward;  // of a gradient node: the name of the node it differentiates
};

/// The symbolic handle that users hold, copy and pass by value. Refers to its Graph, which must outlive it.
class Value {
 public:
  Value() = default;
  Value(Graph& graph, ValueId id) : graph_(&graph), id_(id) {}

  explicit operator bool() const { return graph_ != nullptr; }
  Graph& graph() const { return *graph_; }
  ValueId id() const { return id_; }

  const Node& node() const;
  const TensorType& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  std::size_t rank() const { return shape().size(); }
  /// The node's name; ":k" follows for outputs after the first.
  std::string name() const;

  bool operator==(const Value&) const = default;

 private:
  Graph* graph_ = nullptr;
  ValueId id_;
};

using Values = std::vector<Value>;

}  // namespace lathe
