#include <lathe/graph/verify.h>

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include <lathe/graph/traversal.h>

namespace lathe {
namespace {

using Fault = std::optional<std::string>;

/// One promise about a node. Each is checked of all nodes before the next, which may rely on it.
using Rule = Fault (*)(const Graph& graph, NodeId id);

Fault takes_the_right_number_of_inputs(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.inputs.size() >= node.op->min_inputs && node.inputs.size() <= node.op->max_inputs) return {};
  return fmt::format("has {} inputs", node.inputs.size());
}

Fault uses_only_earlier_nodes(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i].node >= id) return fmt::format("input {} is not an earlier node", i);
  }
  for (const NodeId control : node.control) {
    if (control >= id) return "a control node is not an earlier node";
  }
  return {};
}

Fault uses_existing_outputs(const Graph& graph, NodeId id) {
  for (const ValueId input : graph.node(id).inputs) {
    const Node& used = graph.node(input.node);
    if (input.output < used.outputs.size()) continue;
    return fmt::format("uses output {} of {}, which has {}", input.output, describe(used), used.outputs.size());
  }
  return {};
}

Fault has_known_and_complete_attributes(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const auto& specs = node.op->attributes;
  for (const auto& [name, value] : node.attributes) {
    const auto is_this = [&name = name](const AttributeSpec& spec) { return spec.name == name; };
    if (std::none_of(specs.begin(), specs.end(), is_this)) return fmt::format("has an unknown attribute '{}'", name);
  }
  for (const AttributeSpec& spec : specs) {
    if (!node.attributes.find(spec.name)) return fmt::format("lacks attribute '{}'", spec.name);
  }
  return {};
}

Fault has_a_unique_name(const Graph& graph, NodeId id) {
  const auto found = graph.find(graph.node(id).name);
  if (found == id) return {};
  return found ? "shares its name with another node" : "cannot be found by its name";
}

Fault has_a_sound_origin(const Graph& graph, NodeId id) {
  const auto& forward = graph.node(id).forward;
  // The forward node itself may be gone: passes drop what nothing uses.
  return forward && forward->empty() ? Fault("is the gradient of a node without a name") : std::nullopt;
}

Fault is_among_the_users_of_what_it_uses(const Graph& graph, NodeId id) {
  const std::size_t slots = graph.node(id).inputs.size() + graph.node(id).control.size();
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    const auto users = graph.users(graph.used({id, slot}));
    if (std::find(users.begin(), users.end(), Edge{id, slot}) == users.end()) {
      return fmt::format("is not among the users of {}", describe(graph.node(graph.used({id, slot}))));
    }
  }
  return {};
}

Fault is_used_by_its_users(const Graph& graph, NodeId id) {
  for (const Edge edge : graph.users(id)) {
    const Node& user = graph.node(edge.user);
    if (edge.slot >= user.inputs.size() + user.control.size() || graph.used(edge) != id) {
      return fmt::format("is not used by {}, though listed so", describe(user));
    }
  }
  return {};
}

constexpr std::array<Rule, 8> rules{takes_the_right_number_of_inputs,   uses_only_earlier_nodes, uses_existing_outputs,
                                    has_known_and_complete_attributes,  has_a_unique_name,       has_a_sound_origin,
                                    is_among_the_users_of_what_it_uses, is_used_by_its_users};

void verify_nodes(const Graph& graph) {
  for (const Rule rule : rules) {
    for (const NodeId id : graph.node_ids()) {
      if (const Fault fault = rule(graph, id)) ensure(false, fmt::format("{} {}", describe(graph.node(id)), *fault));
    }
  }
}

bool exists(const Graph& graph, NodeId id) {
  return static_cast<std::size_t>(id) < graph.size();
}

/// What walking the graph relies on.
void verify_edges_exist(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  for (const ValueId input : node.inputs) {
    if (!exists(graph, input.node)) ensure(false, fmt::format("{} has an input outside the graph", describe(node)));
  }
  for (const NodeId control : node.control) {
    if (!exists(graph, control)) ensure(false, fmt::format("{} has a control node outside the graph", describe(node)));
  }
}

void verify_acyclic(const Graph& graph) {
  const auto circles = cycles(graph);
  if (circles.empty()) return;
  std::vector<std::string> names;
  for (const NodeId id : circles[0]) names.push_back(graph.node(id).name);
  ensure(false, fmt::format("nodes depend on each other in a circle: {}", fmt::join(names, ", ")));
}

std::string to_string(const std::vector<TensorType>& types) {
  std::vector<std::string> texts;
  texts.reserve(types.size());
  for (const TensorType& type : types) texts.push_back(to_string(type));
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// Runs every type rule again: it must say what the node says, and learn nothing about extents that is not known.
void verify_types(const Graph& graph) {
  Graph scratch = graph;
  const std::size_t known = graph.equalities().size();
  for (const NodeId id : graph.node_ids()) {
    const Node& node = graph.node(id);
    std::vector<TensorType> types;
    try {
      types = node.op->infer(InferContext{scratch, node});
    } catch (const Error& error) {
      ensure(false, fmt::format("a type rule fails that held before: {}", error.what()));
    }
    for (TensorType& type : types) type.shape = scratch.resolve(type.shape);
    if (types != node.outputs) {
      ensure(false, fmt::format("{} is of type {}, its type rule says {}", describe(node), to_string(node.outputs),
                                to_string(types)));
    }
    if (scratch.equalities().size() != known) {
      ensure(false, fmt::format("{} needs equal extents that the graph does not have", describe(node)));
    }
  }
}

}  // namespace

void verify(const Graph& graph) {
  for (const NodeId id : graph.node_ids()) verify_edges_exist(graph, id);
  verify_acyclic(graph);
  verify_nodes(graph);
  verify_types(graph);
  for (const auto& [name, value] : graph.outputs()) {
    if (exists(graph, value.node) && value.output < graph.node(value.node).outputs.size()) continue;
    ensure(false, fmt::format("output '{}' is not a value of the graph", name));
  }
}

}  // namespace lathe
