#include <lathe/runtime/eager/trace.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <lathe/ops/effect.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/eager/state.h>
#include <lathe/runtime/evaluate_node.h>
#include <lathe/runtime/extract.h>

namespace lathe::eager {
namespace {

/// Whether an op is there for what it does, so that it runs though nobody uses its result.
bool acts(const Op& op) {
  return has_effect(op.kind) || &op == &op::assert_all_finite || &op == &op::check_labels;
}

/// What a value is that depends on no argument, by the interpreter. Throws RunError for any other.
Tensor constant_value(const Value& value) {
  const std::array fetches{value.id()};
  const Graph alone = extract(value.graph(), fetches, {}).graph;
  std::map<ValueId, Tensor> known;
  for (const NodeId id : alone.node_ids()) {
    std::vector<TensorView> inputs;
    for (const ValueId input : alone.node(id).inputs) inputs.push_back(known.at(input));
    known[{id, 0}] = evaluate_node(alone, id, inputs).front();
  }
  return known.at(alone.outputs().front().value);
}

}  // namespace

// ---- Trace

Trace::Trace(State& state) : state_(state) {
  graph.dispatch_to(*this);
}

Value Trace::argument(std::string_view name, const TensorType& type) {
  arguments.push_back(placeholder(graph, name, type.dtype, type.shape));
  return arguments.back();
}

Value Trace::apply(Graph::NodeSpec spec) {
  if (spec.op.kind == Kind::assign) return assign(std::move(spec));
  if (spec.op.kind == Kind::variable) return make_variable(std::move(spec));
  for (Value& input : spec.inputs) input = import(input);
  if (&spec.op == &op::group) spec.control.clear();  // all that acts is part of every run
  const Op& op = spec.op;
  const Value made(graph, {graph.add(std::move(spec)), 0});
  if (acts(op)) effects_.push_back(made.id().node);
  return made;
}

Value Trace::scalar(DType dtype, std::uint64_t bits, const std::source_location& where) {
  Tensor number(dtype, {});
  std::memcpy(number.bytes().data(), &bits, number.bytes().size());
  return constant(graph, std::move(number), where);
}

Value Trace::import(const Value& value) {
  if (value.empty() || &value.graph() == &graph) return value;  // add() says what is wrong with an empty one
  if (&value.graph() != &state_.graph) {
    throw GraphError(
        fmt::format("{} belongs to another context or graph than the function that uses it", describe(value.node())));
  }
  if (state_.is_variable(value.id().node)) {
    import_variable(value);
    return find_variable(value)->current;
  }
  const auto known =
      std::find_if(arrays.begin(), arrays.end(), [&](const Captured& array) { return array.outside == value; });
  if (known != arrays.end()) return known->inside;
  const Value inside = placeholder(graph, fmt::format("captured{}", arrays.size()), value.dtype(), value.shape());
  arrays.push_back({value, inside, inside});
  return inside;
}

Value Trace::import_variable(const Value& variable) {
  if (const Captured* known = find_variable(variable)) return known->inside;
  const Node& node = variable.node();
  ensure(&variable.graph() == &state_.graph && node.op->kind == Kind::variable, "what is imported is no variable");
  Node copy;  // adopted, since the scope of what is being added is not the variable's
  copy.op = node.op;
  copy.attributes = node.attributes;
  copy.name = node.name;
  const Value inside(graph, {graph.adopt(copy, {}, {}), 0});
  captured_variables.push_back({variable, inside, inside});
  return inside;
}

Trace::Captured* Trace::find_variable(const Value& value) {
  const auto found = std::find_if(captured_variables.begin(), captured_variables.end(), [&](const Captured& known) {
    return known.outside == value || known.inside == value;
  });
  return found == captured_variables.end() ? nullptr : &*found;
}

Value Trace::assign(Graph::NodeSpec spec) {
  Value& target = spec.inputs.at(0);
  if (&target.graph() == &state_.graph && state_.is_variable(target.id().node)) target = import_variable(target);
  spec.inputs.at(1) = import(spec.inputs[1]);
  Node node;
  node.op = &spec.op;
  node.attributes = spec.attributes;
  node.name = spec.op.name;
  node.where = graph.line_of(spec.where);
  for (const Value& input : spec.inputs) node.inputs.push_back(input.id());
  graph.complete(node);
  if (node.attributes.get<bool>("initializer")) {
    initialize(target, spec.inputs[1]);
    return target;
  }
  find_variable(target)->current = spec.inputs[1];
  return spec.inputs[1];
}

/// The name of an optimizer's slot, which ends with its variable's, for a variable that may be called otherwise in here
/// because a node had taken its name.
std::string Trace::name_outside(const std::string& slot) const {
  const Captured* variable = nullptr;
  for (const Captured& known : captured_variables) {
    const bool longer = !variable || known.inside.name().size() > variable->inside.name().size();
    if (longer && slot.ends_with("/" + known.inside.name())) variable = &known;
  }
  if (!variable) return slot;
  return slot.substr(0, slot.size() - variable->inside.name().size()) + variable->outside.name();
}

Value Trace::make_variable(Graph::NodeSpec spec) {
  const std::string name = name_outside(graph.scope() + spec.name);
  if (!variables) {
    throw GraphError(
        fmt::format("variable '{}' ({}): a function that is traced cannot make variables, since every "
                    "retrace would make another: make it before",
                    name, describe(spec.where)));
  }
  auto found = variables->find(name);
  if (found == variables->end()) {
    const Tracing outside(state_, nullptr);
    spec.name = name;
    found = variables->emplace(name, state_.apply(std::move(spec))).first;
  }
  return import_variable(found->second);
}

void Trace::initialize(const Value& variable, const Value& value) {
  const Value& outside = find_variable(variable)->outside;
  if (state_.is_initialized(outside.id().node)) return;
  state_.assign(outside.id().node, state_.adopt(constant_value(value)).id().node);
}

void Trace::finish(const Values& values) {
  for (const Value& value : values) {
    if (value.empty()) throw GraphError("a function that was traced returned an empty Value");
    fetches.push_back(import(value).id());
  }
  results = values.size();
  for (const Captured& variable : captured_variables) {
    if (variable.current == variable.inside) continue;
    effects_.push_back(graph.add({.op = op::assign, .inputs = {variable.inside, variable.current}}));
  }
  if (!effects_.empty()) {
    fetches.push_back({graph.add({.op = op::group, .control = std::move(effects_)}), 0});
  }
}

// ---- Tracing

Tracing::Tracing(State& state, Trace* trace) : state_(state), outer_(std::exchange(state.tracing, trace)) {}

Tracing::~Tracing() {
  state_.tracing = outer_;
}

Values State::gradients_in_trace(const Values& ys, const Values& xs, const Values& grad_ys, GradientOptions gradient,
                                 const std::source_location& where) {
  ensure(tracing != nullptr, "a tape outlived the function that it was made in");
  const auto inside = [&](const Values& values) {
    Values out;
    for (const Value& value : values) out.push_back(tracing->import(value));
    return out;
  };
  return gradients(inside(ys), inside(xs), inside(grad_ys), gradient, where);
}

}  // namespace lathe::eager
