#include <lathe/graph/rebuild.h>

#include <algorithm>

#include <fmt/format.h>

namespace lathe {

Rebuild::Rebuild(const Graph& from) : from_(from), values_(from.size()), nodes_(from.size()) {
  to_.adopt_symbols(from);
}

ValueId Rebuild::now(ValueId old) const {
  const auto& outputs = values_.at(static_cast<std::size_t>(old.node));
  if (old.output >= outputs.size()) {
    ensure(false, fmt::format("a pass dropped {}, which is needed", describe(from_.node(old.node))));
  }
  return outputs[old.output];
}

std::vector<ValueId> Rebuild::inputs(NodeId old) const {
  std::vector<ValueId> inputs;
  for (const ValueId input : from_.node(old).inputs) inputs.push_back(now(input));
  return inputs;
}

Values Rebuild::input_values(NodeId old) {
  Values inputs;
  for (const ValueId input : from_.node(old).inputs) inputs.push_back(value(input));
  return inputs;
}

std::vector<NodeId> Rebuild::control(NodeId old) const {
  std::vector<NodeId> control;
  for (const NodeId before : from_.node(old).control) {
    for (const NodeId id : nodes_.at(static_cast<std::size_t>(before))) {
      if (std::find(control.begin(), control.end(), id) == control.end()) control.push_back(id);
    }
  }
  return control;
}

NodeId Rebuild::copy(NodeId old) {
  const NodeId id = to_.adopt(from_.node(old), inputs(old), control(old));
  auto& outputs = values_[static_cast<std::size_t>(old)];
  for (std::uint32_t output = 0; output < to_.node(id).outputs.size(); ++output) outputs.push_back({id, output});
  nodes_[static_cast<std::size_t>(old)] = {id};
  return id;
}

void Rebuild::replace(NodeId old, std::span<const Value> with) {
  const Node& node = from_.node(old);
  ensure(with.size() == node.outputs.size(), "a replacement has another number of outputs");
  auto& outputs = values_[static_cast<std::size_t>(old)];
  auto& nodes = nodes_[static_cast<std::size_t>(old)];
  for (std::size_t i = 0; i < with.size(); ++i) {
    if (with[i].type() != node.outputs[i]) {
      ensure(false, fmt::format("{} of type {} was replaced by {} of type {}", describe(node),
                                to_string(node.outputs[i]), describe(with[i].node()), to_string(with[i].type())));
    }
    outputs.push_back(with[i].id());
    nodes.push_back(with[i].id().node);
  }
}

Graph Rebuild::finish() {
  std::vector<Graph::Output> outputs;
  for (const auto& [name, value] : from_.outputs()) outputs.push_back({name, now(value)});
  to_.set_outputs(std::move(outputs));
  return std::move(to_);
}

}  // namespace lathe
