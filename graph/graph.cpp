#include <lathe/graph/graph.h>

#include <algorithm>

#include <fmt/format.h>

namespace lathe {

const Node& Value::node() const {
  ensure(graph_ != nullptr, "an empty Value was used");
  return graph_->node(id_.node);
}

const TensorType& Value::type() const {
  return node().outputs.at(id_.output);
}

std::string Value::name() const {
  return id_.output == 0 ? node().name : fmt::format("{}:{}", node().name, id_.output);
}

std::string describe(const Node& node) {
  std::string text = fmt::format("{} '{}' ({})", node.op->name, node.name, describe(node.where));
  if (node.forward) text += fmt::format(", in the gradient of '{}'", *node.forward);
  return text;
}

NodeId Graph::add(NodeSpec spec) {
  Node node;
  node.op = &spec.op;
  node.attributes = std::move(spec.attributes);
  node.control = std::move(spec.control);
  node.where = line_.value_or(spec.where);
  if (origin_) {
    node.forward = this->node(*origin_).name;
    node.where = this->node(*origin_).where;
  }
  const std::string wanted = scope_ + (spec.name.empty() ? spec.op.name : spec.name);
  node.name = wanted;  // what errors show until the name is taken
  for (const Value& input : spec.inputs) {
    if (!input) throw GraphError(fmt::format("{}: an input is an empty Value", describe(node)));
    if (&input.graph() != this) {
      throw GraphError(fmt::format("{}: input '{}' belongs to another graph", describe(node), input.name()));
    }
    node.inputs.push_back(input.id());
  }
  return append(std::move(node));
}

NodeId Graph::adopt(const Node& node, std::vector<ValueId> inputs, std::vector<NodeId> control) {
  Node copy = node;
  copy.inputs = std::move(inputs);
  copy.control = std::move(control);
  copy.outputs.clear();
  return append(std::move(copy));
}

NodeId Graph::append(Node node) {
  const Op& op = *node.op;
  if (node.inputs.size() < op.min_inputs || node.inputs.size() > op.max_inputs) {
    throw GraphError(fmt::format(
        "{}: takes {} input{}, {} given", describe(node),
        op.min_inputs == op.max_inputs ? fmt::format("{}", op.min_inputs) : fmt::format("at least {}", op.min_inputs),
        op.min_inputs == 1 ? "" : "s", node.inputs.size()));
  }
  check_attributes(node);
  node.outputs = op.infer(InferContext{*this, node});
  for (TensorType& type : node.outputs) type.shape = resolve(type.shape);
  node.name = unique_name(node.name);
  const auto id = static_cast<NodeId>(nodes_.size());
  by_name_.emplace(node.name, id);
  nodes_.push_back(std::move(node));
  return id;
}

void Graph::check_attributes(Node& node) const {
  for (const auto& [name, value] : node.attributes) {
    const auto& known = node.op->attributes;
    if (std::none_of(known.begin(), known.end(), [&](const AttributeSpec& spec) { return spec.name == name; })) {
      throw GraphError(fmt::format("{}: has no attribute '{}'", describe(node), name));
    }
  }
  for (const AttributeSpec& spec : node.op->attributes) {
    if (node.attributes.find(spec.name)) continue;
    if (!spec.default_value)
      throw GraphError(fmt::format("{}: attribute '{}' must be given", describe(node), spec.name));
    node.attributes.set(spec.name, *spec.default_value);
  }
}

std::string Graph::unique_name(std::string_view wanted) {
  std::string name(wanted);
  while (by_name_.contains(name)) name = fmt::format("{}_{}", wanted, ++name_uses_[std::string(wanted)]);
  return name;
}

std::vector<NodeId> Graph::node_ids() const {
  std::vector<NodeId> ids;
  ids.reserve(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) ids.push_back(static_cast<NodeId>(i));
  return ids;
}

std::optional<NodeId> Graph::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? std::nullopt : std::optional(found->second);
}

Dim Graph::fresh_symbol() {
  return dim(fmt::format("_{}", symbols_++));
}

Dim Graph::resolve(const Dim& dim) const {
  Dim out = dim;
  for (const auto& [symbol, meaning] : equalities_) out = out.substitute(symbol, meaning);
  return out;
}

Shape Graph::resolve(const Shape& shape) const {
  Shape out;
  out.reserve(shape.size());
  for (const Dim& extent : shape) out.push_back(resolve(extent));
  return out;
}

bool Graph::unify(const Dim& a, const Dim& b) {
  const Dim x = resolve(a);
  const Dim y = resolve(b);
  if (x == y) return true;
  // The younger, anonymous side gives way, so that users' names survive in messages.
  const auto learn = [&](const Dim& symbol, const Dim& meaning) {
    const auto id = symbol.as_symbol();
    if (!id || meaning.mentions(*id)) return false;
    for (auto& [known, dim] : equalities_) dim = dim.substitute(*id, meaning);
    equalities_.emplace_back(*id, meaning);
    for (Node& node : nodes_) {
      for (TensorType& type : node.outputs) type.shape = resolve(type.shape);
    }
    return true;
  };
  const auto anonymous = [](const Dim& dim) { return dim.as_symbol() && name_of(*dim.as_symbol()).starts_with('_'); };
  if (anonymous(x) || !y.as_symbol()) return learn(x, y) || learn(y, x);
  return learn(y, x) || learn(x, y);
}

void Graph::adopt_symbols(const Graph& other) {
  equalities_ = other.equalities_;
  symbols_ = other.symbols_;
  streams_ = other.streams_;
}

Graph::Scope::Scope(Graph& graph, std::string_view name) : graph_(graph), outer_(graph.scope_) {
  const std::string wanted = outer_ + std::string(name);
  int& uses = graph.name_uses_[wanted + "/"];
  graph.scope_ = uses == 0 ? wanted + "/" : fmt::format("{}_{}/", wanted, uses);
  ++uses;
}

Graph::Scope::~Scope() {
  graph_.scope_ = outer_;
}

Graph::Origin::Origin(Graph& graph, NodeId forward) : graph_(graph), outer_(graph.origin_) {
  graph.origin_ = forward;
}

Graph::Origin::~Origin() {
  graph_.origin_ = outer_;
}

Graph::Line::Line(Graph& graph, const SourceLine& where) : graph_(graph), outer_(graph.line_) {
  if (!outer_) graph.line_ = where;
}

Graph::Line::~Line() {
  graph_.line_ = outer_;
}

}  // namespace lathe
