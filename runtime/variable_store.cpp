#include <lathe/runtime/variable_store.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <lathe/codegen/layout.h>

namespace lathe {
namespace {

bool is_variable(const Node& node) {
  return node.op->kind == Kind::variable;
}

Extents extents_of(const Node& variable) {
  Extents extents;
  for (const Dim& extent : variable.outputs[0].shape) {
    if (!extent.is_constant()) {
      throw RunError(fmt::format("{}: its shape {} holds a symbol, and a variable needs room of a known size",
                                 describe(variable), to_string(variable.outputs[0].shape)));
    }
    extents.push_back(extent.constant());
  }
  return extents;
}

}  // namespace

void not_initialized(const Node& variable) {
  throw RunError(fmt::format("{} has no value yet: call initialize() or set_variable() first", describe(variable)));
}

std::int64_t VariableStore::panel_of(const TensorType& type) const {
  return panels_ ? panel_columns(type) : 0;
}

VariableStore::Variable& VariableStore::at(NodeId id) {
  const auto found = variables_.find(id);
  if (found != variables_.end()) return found->second;
  const Node& node = graph_.node(id);
  ensure(is_variable(node), "storage asked for a node that is no variable");
  Extents extents = extents_of(node);
  const std::int64_t panel = panel_of(node.outputs[0]);
  if (panel != 0) extents = panel_extents(extents, panel);
  return variables_.emplace(id, Variable{Tensor(node.outputs[0].dtype, std::move(extents)), false}).first->second;
}

NodeId VariableStore::find(const ValueRef& reference) const {
  if (const auto* name = std::get_if<std::string>(&reference.get())) {
    const auto node = graph_.find(*name);
    if (node && is_variable(graph_.node(*node))) return *node;
    if (node) throw RunError(fmt::format("{} is not a variable", describe(graph_.node(*node))));
    const std::string near = nearest_name(*name, names());
    throw RunError(fmt::format("the graph has no variable '{}'{}", *name,
                               near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
  }
  const NodeId node = resolve(graph_, reference, "variable").node;
  if (!is_variable(graph_.node(node))) throw RunError(fmt::format("{} is not a variable", describe(graph_.node(node))));
  return node;
}

std::vector<std::string> VariableStore::names() const {
  std::vector<std::string> names;
  for (const NodeId id : graph_.node_ids()) {
    if (is_variable(graph_.node(id))) names.push_back(graph_.node(id).name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Tensor VariableStore::read(NodeId id) const {
  const auto found = variables_.find(id);
  if (found == variables_.end() || !found->second.initialized) not_initialized(graph_.node(id));
  const Tensor& tensor = found->second.tensor;
  return panel_of(graph_.node(id).outputs[0]) == 0 ? tensor : from_panels(tensor);
}

void VariableStore::write(NodeId id, const TensorView& tensor) {
  const TensorType& type = graph_.node(id).outputs[0];
  const Extents shape = extents_of(graph_.node(id));
  if (tensor.dtype != type.dtype || !std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin(), shape.end())) {
    throw RunError(fmt::format("{} is {}, not {} {}", describe(graph_.node(id)), to_string(type),
                               to_string(tensor.dtype), to_string(Extents(tensor.shape.begin(), tensor.shape.end()))));
  }
  Variable& variable = at(id);
  const std::int64_t panel = panel_of(type);
  const std::span<std::byte> bytes = variable.tensor.bytes();
  if (panel != 0) {
    variable.tensor = to_panels(tensor, panel);
  } else if (!bytes.empty()) {
    std::memcpy(bytes.data(), tensor.data, bytes.size());
  }
  variable.initialized = true;
}

// http://www.isthe.com/chongo/tech/comp/fnv/: the 64-bit offset basis and prime.
std::uint64_t VariableStore::hash() const {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::string& name : names()) {
    const Tensor tensor = read(*graph_.find(name));
    for (const std::byte byte : tensor.bytes()) {
      hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3;
    }
  }
  return hash;
}

}  // namespace lathe
