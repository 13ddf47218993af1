#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lathe/graph/attribute.h>
#include <lathe/graph/shape.h>
#include <lathe/graph/source_line.h>

namespace lathe {

class Op;
class Graph;
class Value;

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

/// Keeps the arrays of a graph that computes at once, for as long as handles refer to them.
class ArrayHolder {
 public:
  virtual void retain(NodeId array) noexcept = 0;
  virtual void release(NodeId array) noexcept = 0;
  /// What made the array.
  virtual const Node& node(NodeId array) const = 0;
  /// The truth of a bool scalar.
  virtual bool truth(const Value& array) const = 0;

 protected:
  ~ArrayHolder() = default;
};

/// The handle that users hold, copy and pass by value: of a node's output in a symbolic graph, or of an array if the
/// graph computes at once (eager::Context). Refers to its Graph, which must outlive it.
class Value {
 public:
  Value() = default;
  Value(Graph& graph, ValueId id);
  Value(const Value& other) noexcept : graph_(other.graph_), holder_(other.holder_), id_(other.id_) { retain(); }
  Value(Value&& other) noexcept { swap(other); }
  Value& operator=(const Value& other) noexcept {
    Value(other).swap(*this);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    Value(std::move(other)).swap(*this);
    return *this;
  }
  ~Value() {
    if (holder_) holder_->release(id_.node);
  }

  /// Whether this is a handle on nothing.
  bool empty() const { return graph_ == nullptr; }
  /// Whether a bool scalar that was computed at once is true. Throws GraphError for a symbolic value: a graph is built
  /// before anything is computed, so that its values can decide nothing then.
  explicit operator bool() const;

  /// The graph of an empty handle is one to which nothing can be added: ops say then that they were given nothing.
  Graph& graph() const { return graph_ ? *graph_ : nowhere(); }
  ValueId id() const { return id_; }

  const Node& node() const;
  const TensorType& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  std::size_t rank() const { return shape().size(); }
  /// The node's name; ":k" follows for outputs after the first.
  std::string name() const;

  bool operator==(const Value& other) const { return graph_ == other.graph_ && id_ == other.id_; }

 private:
  static Graph& nowhere();
  void retain() const noexcept {
    if (holder_) holder_->retain(id_.node);
  }
  void swap(Value& other) noexcept {
    std::swap(graph_, other.graph_);
    std::swap(holder_, other.holder_);
    std::swap(id_, other.id_);
  }

  Graph* graph_ = nullptr;
  ArrayHolder* holder_ = nullptr;
  ValueId id_;
};

using Values = std::vector<Value>;

}  // namespace lathe
