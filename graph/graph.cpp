#include <lathe/graph/graph.h>

#include <algorithm>

#include <fmt/format.h>

#include <lathe/graph/dispatcher.h>

namespace lathe {
namespace {

constexpr std::string_view is_empty = "is an empty Value, never set or moved from";

/// The dispatcher of the graph of empty handles.
class Nowhere final : public Dispatcher {
 public:
  Value apply(Graph::NodeSpec spec) override {
    throw GraphError(fmt::format("{} ({}): an input {}", spec.op.name, describe(spec.where), is_empty));
  }
  Value scalar(DType, std::uint64_t, const std::source_location& where) override {
    throw GraphError(fmt::format("{}: an operand {}", describe(SourceLine(where)), is_empty));
  }
};

}  // namespace

Value::Value(Graph& graph, ValueId id) : graph_(&graph), holder_(graph.holder()), id_(id) {
  retain();
}

Value::operator bool() const {
  if (holder_) return holder_->truth(*this);
  throw GraphError(fmt::format(
      "{} has no value while the graph is built, so C++ cannot branch on it: use select(condition, a, b), which "
      "chooses element by element when the graph runs",
      describe(node())));
}

Graph& Value::nowhere() {
  static Nowhere dispatcher;
  static Graph graph = [] {
    Graph made;
    made.dispatch_to(dispatcher);
    return made;
  }();
  return graph;
}

const Node& Value::node() const {
  if (empty()) throw GraphError("an empty Value was used, never set or moved from");
  return graph_->node(id_.node);
}

const TensorType& Value::type() const {
  return node().outputs.at(id_.output);
}

std::string Value::name() const {
  return id_.output == 0 ? node().name : fmt::format("{}:{}", node().name, id_.output);
}

std::string describe(const Node& node) {
  std::string text = fmt::format("{} '{}'", node.op->name, node.name);
  if (node.where != SourceLine{}) text += fmt::format(" ({})", describe(node.where));
  if (node.forward) text += fmt::format(", in the gradient of '{}'", *node.forward);
  return text;
}

NodeId Graph::add(NodeSpec spec) {
  ensure(!hooks_.holder, "a graph that computes at once has no nodes to add to");
  Node node;
  node.op = &spec.op;
  node.attributes = std::move(spec.attributes);
  node.control = std::move(spec.control);
  node.where = line_of(spec.where);
  node.name = scope_ + (spec.name.empty() ? spec.op.name : spec.name);
  if (origin_) node.forward = this->node(*origin_).name;
  if (replaced_) {
    const Node& replaced = replaced_->from->node(replaced_->node);
    node.name = replaced.name;
    node.forward = replaced.forward;
    node.where = replaced.where;
  }
  for (const Value& input : spec.inputs) {
    if (input.empty()) throw GraphError(fmt::format("{}: an input {}", describe(node), is_empty));
    if (&input.graph() != this) {
      throw GraphError(fmt::format("{}: input '{}' belongs to another graph", describe(node), input.name()));
    }
    node.inputs.push_back(input.id());
  }
  return append(std::move(node));
}

Value Graph::apply(NodeSpec spec) {
  if (hooks_.dispatcher) return hooks_.dispatcher->apply(std::move(spec));
  return {*this, {add(std::move(spec)), 0}};
}

Value Graph::apply(const Op& op, std::initializer_list<Value> inputs, const std::source_location& where) {
  if (hooks_.dispatcher) return hooks_.dispatcher->apply(op, {inputs.begin(), inputs.size()}, where);
  return {*this, {add({.op = op, .inputs = inputs, .where = where}), 0}};
}

NodeId Graph::adopt(const Node& node, std::vector<ValueId> inputs, std::vector<NodeId> control) {
  Node copy = node;
  copy.inputs = std::move(inputs);
  copy.control = std::move(control);
  return append(std::move(copy));
}

void Graph::complete(Node& node) {
  check_inputs(node);
  check_attributes(node);
  infer(node);
}

NodeId Graph::append(Node node) {
  complete(node);
  node.name = unique_name(node.name);
  const auto id = static_cast<NodeId>(nodes_.size());
  by_name_.emplace(node.name, id);
  nodes_.push_back(std::move(node));
  users_.emplace_back();
  const auto slots = static_cast<std::uint32_t>(nodes_.back().inputs.size() + nodes_.back().control.size());
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    const Edge edge{id, slot};
    users_[static_cast<std::size_t>(used(edge))].push_back(edge);
  }
  return id;
}

NodeId Graph::used(Edge edge) const {
  const Node& user = node(edge.user);
  const std::size_t inputs = user.inputs.size();
  return edge.slot < inputs ? user.inputs[edge.slot].node : user.control.at(edge.slot - inputs);
}

bool Graph::has(ValueId value) const {
  if (hooks_.holder) return true;  // there is no handle on an array that is gone
  return static_cast<std::size_t>(value.node) < nodes_.size() && value.output < node(value.node).outputs.size();
}

void Graph::check_inputs(const Node& node) const {
  const Op& op = *node.op;
  if (node.inputs.size() < op.min_inputs || node.inputs.size() > op.max_inputs) {
    std::string wanted = fmt::format("{}", op.min_inputs);
    if (op.max_inputs == SIZE_MAX) {
      wanted = fmt::format("at least {}", op.min_inputs);
    } else if (op.max_inputs != op.min_inputs) {
      wanted = fmt::format("{} to {}", op.min_inputs, op.max_inputs);
    }
    throw GraphError(fmt::format("{}: takes {} input{}, {} given", describe(node), wanted,
                                 wanted == "1" || wanted == "at least 1" ? "" : "s", node.inputs.size()));
  }
  for (const ValueId input : node.inputs) {
    if (!has(input)) throw GraphError(fmt::format("{}: an input is not a value of this graph", describe(node)));
  }
  for (const NodeId control : node.control) {
    if (static_cast<std::size_t>(control) < nodes_.size()) continue;
    throw GraphError(fmt::format("{}: a control node is not in this graph", describe(node)));
  }
}

void Graph::check_attributes(Node& node) const {
  for (const auto& [name, value] : node.attributes) {
    const auto& known = node.op->attributes;
    if (std::none_of(known.begin(), known.end(), [&](const AttributeSpec& spec) { return spec.name == name; })) {
      throw GraphError(fmt::format("{}: has no attribute '{}'", describe(node), name));
    }
  }
  for (const AttributeSpec& spec : node.op->attributes) {
    const Attribute* given = node.attributes.find(spec.name);
    if (!given && !spec.default_value) {
      throw GraphError(fmt::format("{}: attribute '{}' must be given", describe(node), spec.name));
    }
    if (!given) {
      node.attributes.set(spec.name, *spec.default_value);
    } else if (spec.default_value && given->index() != spec.default_value->index()) {
      throw GraphError(fmt::format("{}: attribute '{}' must be of type {}, not {}", describe(node), spec.name,
                                   kind_of(*spec.default_value), kind_of(*given)));
    }
  }
}

void Graph::infer(Node& node) {
  node.outputs.clear();
  inferring_ = true;
  try {
    node.outputs = node.op->infer(InferContext{*this, node});
    for (TensorType& type : node.outputs) type.shape = resolve(type.shape);
  } catch (...) {
    if (unlearned_) {
      equalities_ = std::move(unlearned_->equalities);
      for (std::size_t i = 0; i < nodes_.size(); ++i) nodes_[i].outputs = std::move(unlearned_->types[i]);
    }
    unlearned_.reset();
    inferring_ = false;
    throw;
  }
  unlearned_.reset();
  inferring_ = false;
}

bool Graph::is_taken(const std::string& name) const {
  if (by_name_.contains(name)) return true;
  if (!replaced_) return false;
  const auto old = replaced_->from->find(name);
  return old && *old != replaced_->node;
}

std::string Graph::unique_name(std::string_view wanted) {
  std::string name(wanted);
  while (is_taken(name)) name = fmt::format("{}_{}", wanted, ++name_uses_[std::string(wanted)]);
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

void Graph::set_outputs(std::vector<Output> outputs) {
  for (const Output& output : outputs) {
    if (!has(output.value)) throw GraphError(fmt::format("output '{}' is not a value of this graph", output.name));
  }
  outputs_ = std::move(outputs);
}

SourceLine Graph::line_of(const SourceLine& where) const {
  return origin_ ? node(*origin_).where : line_.value_or(where);
}

Graph::Scope::Scope(Graph& graph, std::string_view name) : graph_(graph), outer_(graph.scope_) {
  std::string scope = fmt::format("{}{}/", outer_, name);
  if (graph.hooks_.holder) {  // arrays have no names to tell apart
    graph.scope_ = std::move(scope);
    return;
  }
  // A scope named "dense_1" may have come before the second "dense".
  for (int again = 1; graph.name_uses_.contains(scope); ++again) scope = fmt::format("{}{}_{}/", outer_, name, again);
  graph.name_uses_[scope] = 1;
  graph.scope_ = std::move(scope);
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

Graph::InPlaceOf::InPlaceOf(Graph& graph, const Graph& from, NodeId replaced) : graph_(graph) {
  ensure(!graph.replaced_, "a node is replaced while another is");
  graph.replaced_ = Replaced{&from, replaced};
}

Graph::InPlaceOf::~InPlaceOf() {
  graph_.replaced_.reset();
}

Graph::Line::Line(Graph& graph, const SourceLine& where) : graph_(graph), outer_(graph.line_) {
  if (!outer_) graph.line_ = where;
}

Graph::Line::~Line() {
  graph_.line_ = outer_;
}

}  // namespace lathe
