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

class Dispatcher;

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

  /// How many symbols and streams a graph has handed out.
  struct Counters {
    std::int64_t symbols = 0;
    std::int64_t streams = 0;
    bool operator==(const Counters&) const = default;
  };
  using Equality = std::pair<SymbolId, Dim>;

  /// Checks attributes, infers types and appends. Throws GraphError naming op, node and source line, and then leaves
  /// the graph as it was.
  NodeId add(NodeSpec spec);
  /// The first output of a new node: add(), or what the graph's dispatcher makes of it.
  Value apply(NodeSpec spec);
  /// apply() of an op without attributes. Where arrays are computed at once it allocates nothing.
  Value apply(const Op& op, std::initializer_list<Value> inputs,
              const std::source_location& where = std::source_location::current());
  /// Checks what is given of a node and fills in the rest, as add() does before it appends: attributes left out, types.
  void complete(Node& node);

  /// From now on `dispatcher` decides what apply() does, and `holder`, if given, keeps what handles refer to: the graph
  /// then has no nodes of its own. Both must outlive the graph; copies of the graph do without them.
  void dispatch_to(Dispatcher& dispatcher, ArrayHolder* holder = nullptr) { hooks_ = {&dispatcher, holder}; }
  Dispatcher* dispatcher() const { return hooks_.dispatcher; }
  ArrayHolder* holder() const { return hooks_.holder; }

  std::size_t size() const { return nodes_.size(); }
  /// Nodes stay where they are as the graph grows.
  const Node& node(NodeId id) const {
    return hooks_.holder ? hooks_.holder->node(id) : nodes_.at(static_cast<std::size_t>(id));
  }
  const TensorType& type(ValueId id) const { return node(id.node).outputs.at(id.output); }
  /// Ids of all nodes, in order: inputs before uses.
  std::vector<NodeId> node_ids() const;
  /// The uses of a node's outputs and the control edges to it, in the order of the using nodes.
  std::span<const Edge> users(NodeId id) const { return users_.at(static_cast<std::size_t>(id)); }
  /// The node that an edge makes its user depend on.
  NodeId used(Edge edge) const;
  /// The node called `name`, if there is one.
  std::optional<NodeId> find(std::string_view name) const;

  /// A new symbol of this graph: _0, _1, ...
  Dim fresh_symbol();
  /// Makes a and b the same extent, if they can be: a lone symbol takes the other's meaning throughout the graph.
  /// Common terms and factors cancel first: 2*n + 2 and 2*m + 2 make n and m equal, n + 1 and 5 make n 4.
  bool unify(const Dim& a, const Dim& b);
  /// What `dim` means after all unifications so far.
  Dim resolve(const Dim& dim) const;
  Shape resolve(const Shape& shape) const;
  /// The symbols that unify() gave a meaning, with it. A feed that binds one must agree.
  std::span<const Equality> equalities() const { return equalities_; }

  /// A number that differs at each call: tells random nodes apart. Arrays, each drawn from a seed of its own, need
  /// none.
  std::int64_t next_stream() { return hooks_.holder ? 0 : counters_.streams++; }
  Counters counters() const { return counters_; }

  /// Names what the graph must deliver. Throws GraphError if one is not a value of this graph.
  void set_outputs(std::vector<Output> outputs);
  std::span<const Output> outputs() const { return outputs_; }

  /// What the names of new nodes start with: "dense_1/", or nothing.
  const std::string& scope() const { return scope_; }
  /// The line that a node added now from `where` carries.
  SourceLine line_of(const SourceLine& where) const;

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

  /// While it lives, new nodes stand in for node `replaced` of the graph `from`, which a pass rebuilds into this one:
  /// they carry its line and origin, and its name where that is free.
  class InPlaceOf {
   public:
    InPlaceOf(Graph& graph, const Graph& from, NodeId replaced);
    ~InPlaceOf();
    InPlaceOf(const InPlaceOf&) = delete;
    InPlaceOf& operator=(const InPlaceOf&) = delete;

   private:
    Graph& graph_;
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
  void adopt_symbols(const Graph& other) { adopt_symbols(other.equalities_, other.counters_); }
  void adopt_symbols(std::vector<Equality> equalities, Counters counters);

 private:
  /// What to put back when a type rule fails after it has unified extents.
  struct Unlearned {
    std::vector<Equality> equalities;
    std::vector<std::vector<TensorType>> types;  // by node
  };
  struct Replaced {
    const Graph* from;
    NodeId node;
  };
  struct Hooks {
    Dispatcher* dispatcher = nullptr;
    ArrayHolder* holder = nullptr;
    Hooks() = default;
    Hooks(Dispatcher* the_dispatcher, ArrayHolder* the_holder) : dispatcher(the_dispatcher), holder(the_holder) {}
    Hooks(const Hooks&) {}
    Hooks(Hooks&&) = default;
    Hooks& operator=(const Hooks&) { return *this; }
    Hooks& operator=(Hooks&&) = default;
    ~Hooks() = default;
  };

  NodeId append(Node node);
  bool is_taken(const std::string& name) const;
  std::string unique_name(std::string_view wanted);
  bool has(ValueId value) const;
  void check_inputs(const Node& node) const;
  void check_attributes(Node& node) const;
  void infer(Node& node);
  bool learn(const Dim& symbol, const Dim& meaning);

  Hooks hooks_;
  std::deque<Node> nodes_;
  std::vector<std::vector<Edge>> users_;  // by node
  std::unordered_map<std::string, NodeId> by_name_;
  std::unordered_map<std::string, int> name_uses_;
  std::vector<Equality> equalities_;
  std::vector<Output> outputs_;
  std::string scope_;  // with its trailing '/'
  std::optional<NodeId> origin_;
  std::optional<SourceLine> line_;
  std::optional<Replaced> replaced_;
  std::optional<Unlearned> unlearned_;
  bool inferring_ = false;
  Counters counters_;
};

/// "matmul 'dense_1/matmul' (model.cpp:41)"; gradient nodes name their forward node too.
std::string describe(const Node& node);

}  // namespace lathe
