#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lathe/graph/node.h>
#include <lathe/graph/op.h>

namespace lathe {

/// A symbolic computation: an append-only sequence of nodes, each after the nodes it uses. Handles (`Value`) refer to
/// the object they were made in; copies and passes keep nothing but the structure.
class Graph {
 public:
  /// What to add. Inputs must live in this graph; an empty name becomes the op's name.
  struct NodeSpec {
    const Op& op;
    Values inputs = {};
    Attributes attributes = {};
    std::string name = {};
    SourceLine where = std::source_location::current();
    std::vector<NodeId> control = {};
  };

  /// A named result, such as what a session fetches.
  struct Output {
    std::string name;
    ValueId value;
    bool operator==(const Output&) const = default;
  };

  /// Checks attributes, infers types and appends. Throws GraphError naming op, node and source line.
  NodeId add(NodeSpec spec);
  /// add(), then the node's first output.
  Value apply(NodeSpec spec) { return {*this, {add(std::move(spec)), 0}}; }

  std::size_t size() const { return nodes_.size(); }
  /// Nodes stay where they are as the graph grows.
  const Node& node(NodeId id) const { return nodes_.at(static_cast<std::size_t>(id)); }
  const TensorType& type(ValueId id) const { return node(id.node).outputs.at(id.output); }
  /// Ids of all nodes, in order: inputs before uses.
  std::vector<NodeId> node_ids() const;
  /// The node called `name`, if there is one.
  std::optional<NodeId> find(std::string_view name) const;

  /// A new symbol of this graph: _0, _1, ...
  Dim fresh_symbol();
  /// Makes a and b the same extent, if they can be: a lone symbol takes the other's meaning throughout the graph.
  bool unify(const Dim& a, const Dim& b);
  /// What `dim` means after all unifications so far.
  Dim resolve(const Dim& dim) const;
  Shape resolve(const Shape& shape) const;
  /// The symbols that unify() gave a meaning, with it. A feed that binds one must agree.
  std::span<const std::pair<SymbolId, Dim>> equalities() const { return equalities_; }

  /// A number that differs at each call: tells random nodes apart.
  std::int64_t next_stream() { return streams_++; }

  void set_outputs(std::vector<Output> outputs) { outputs_ = std::move(outputs); }
  std::span<const Output> outputs() const { return outputs_; }

  /// While it lives, names of new nodes start with "name/".
  class Scope {
   public:
    Scope(Graph& graph, std::string_view name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Graph& graph_;
    std::string outer_;
  };

  /// While it lives, new nodes are gradient nodes of `forward` and carry its source line.
  class Origin {
   public:
    Origin(Graph& graph, NodeId forward);
    ~Origin();
    Origin(const Origin&) = delete;
    Origin& operator=(const Origin&) = delete;

   private:
    Graph& graph_;
    std::optional<NodeId> outer_;
  };

  /// While it lives, new nodes carry this source line, unless they are gradient nodes: what functions that build many
  /// nodes use, so that each points to their caller. An outer one wins.
  class Line {
   public:
    Line(Graph& graph, const SourceLine& where);
    ~Line();
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

   private:
    Graph& graph_;
    std::optional<SourceLine> outer_;
  };

  /// Appends a copy of `node` from another graph with these inputs and control nodes: same name, line and origin.
  /// Types are inferred anew. Used by passes.
  NodeId adopt(const Node& node, std::vector<ValueId> inputs, std::vector<NodeId> control);
  /// Takes over what unify() learnt in, and the counters of, the graph that a pass starts from.
  void adopt_symbols(const Graph& other);

 private:
  NodeId append(Node node);
  std::string unique_name(std::string_view wanted);
  void check_attributes(Node& node) const;

  std::deque<Node> nodes_;
  std::unordered_map<std::string, NodeId> by_name_;
  std::unordered_map<std::string, int> name_uses_;
  std::vector<std::pair<SymbolId, Dim>> equalities_;
  std::vector<Output> outputs_;
  std::string scope_;  // with its trailing '/'
  std::optional<NodeId> origin_;
  std::optional<SourceLine> line_;
  std::int64_t symbols_ = 0;
  std::int64_t streams_ = 0;
};

/// "matmul 'dense_1/matmul' (model.cpp:41)"; gradient nodes name their forward node too.
std::string describe(const Node& node);

}  // namespace lathe
