#include <lathe/runtime/debug/walk.h>

#include <algorithm>
#include <cstring>

#include <lathe/runtime/compile.h>
#include <lathe/runtime/debug/finite.h>
#include <lathe/runtime/evaluate_node.h>
#include <lathe/runtime/session_state.h>

namespace lathe::debug {
namespace {

bool is_source(const Node& node) {
  return node.op->kind == Kind::placeholder || node.op->kind == Kind::variable || node.op->kind == Kind::constant;
}

Tensor copy_of(const TensorView& view) {
  Tensor copy(view.dtype, Extents(view.shape.begin(), view.shape.end()));
  const std::span<std::byte> bytes = copy.bytes();
  if (!bytes.empty()) std::memcpy(bytes.data(), view.data, bytes.size());
  return copy;
}

}  // namespace

Walk::Walk(SessionState& state, const Plan& plan, std::span<const TensorView> feeds, std::int64_t seed)
    : state_(state), plan_(plan), feeds_(feeds), seed_(seed) {
  plan.bind(feeds, bindings_);
  graph_ = optimise_graph(plan.extraction().graph, state.options);
  values_.resize(graph_.size());
  // A run that lacks a variable's value does not start.
  const SlotNames slots = slot_names(graph_);
  for (const NodeId id : graph_.node_ids()) {
    const Node& node = graph_.node(id);
    const bool only_assigned = std::any_of(slots.variables.begin(), slots.variables.end(), [&](const auto& variable) {
      return variable.name == node.name && !variable.read;
    });
    if (is_source(node) && !only_assigned) values_[static_cast<std::size_t>(id)] = source(node);
    draws_ = draws_ || (node.op->kind == Kind::placeholder && !plan.extraction().inputs.at(node.name));
  }
}

bool Walk::run(const Observer& observer) {
  for (const NodeId id : graph_.node_ids()) {
    const Node& node = graph_.node(id);
    std::vector<Tensor>& outputs = values_[static_cast<std::size_t>(id)];
    if (!is_source(node)) outputs = evaluate(id);
    for (std::uint32_t output = 0; output < outputs.size(); ++output) {
      if (!observer({node, output, outputs[output]})) return false;
      if (!state_.options.assert_all_finite) continue;
      require_finite(graph_, {id, output}, [&](ValueId value) -> const Tensor& { return tensor(value); });
    }
  }
  return true;
}

std::vector<Tensor> Walk::fetched() const {
  std::vector<Tensor> out;
  for (const Graph::Output& output : graph_.outputs()) out.push_back(tensor(output.value));
  return out;
}

void Walk::commit() {
  for (const NodeId id : graph_.node_ids()) {
    const Node& node = graph_.node(id);
    if (node.op->kind != Kind::assign) continue;
    const NodeId variable = plan_.extraction().variables.at(graph_.node(node.inputs[0].node).name);
    state_.variables.write(variable, tensor({id, 0}));
  }
  if (draws_) ++state_.seeded_runs;
}

std::vector<Tensor> Walk::source(const Node& node) const {
  if (node.op->kind == Kind::constant) return {*node.attributes.get<std::shared_ptr<const Tensor>>("value")};
  const Extraction& extraction = plan_.extraction();
  if (node.op->kind == Kind::variable) return {state_.variables.read(extraction.variables.at(node.name))};
  const std::optional<ValueId> fed = extraction.inputs.at(node.name);
  if (!fed) return {Tensor::scalar(seed_)};
  const std::vector<ValueId>& ids = plan_.feed_ids();
  return {copy_of(feeds_[static_cast<std::size_t>(std::find(ids.begin(), ids.end(), *fed) - ids.begin())])};
}

std::vector<Tensor> Walk::evaluate(NodeId id) const {
  const Node& node = graph_.node(id);
  if (node.op->kind == Kind::assign) return {tensor(node.inputs[1])};
  std::vector<TensorView> inputs;
  for (const ValueId input : node.inputs) inputs.push_back(tensor(input));
  return evaluate_node(graph_, id, inputs, bindings_);
}

const Tensor& Walk::tensor(ValueId value) const {
  return values_.at(static_cast<std::size_t>(value.node)).at(value.output);
}

}  // namespace lathe::debug
