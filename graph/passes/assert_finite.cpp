#include <lathe/graph/passes/assert_finite.h>

#include <algorithm>
#include <set>

#include <lathe/graph/nonempty.h>
#include <lathe/graph/rebuild.h>

namespace lathe {
namespace {

/// Finds out whose NaN and infinities need a check of their own.
class Coverage {
 public:
  explicit Coverage(const Graph& graph) : graph_(graph) {
    // Users come after what they use, so walking backwards meets every value with its users decided.
    const std::vector<NodeId> ids = graph.node_ids();
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
      const Node& node = graph.node(*id);
      for (std::uint32_t output = 0; output < node.outputs.size(); ++output) {
        const ValueId value{*id, output};
        if (!is_float(graph.type(value).dtype)) continue;
        if (is_shown(value)) {
          covered_.insert(value);
        } else if (asserts_finite(node)) {
          covered_.insert(value);
          checked_.insert(value);
        }
      }
    }
  }

  bool needs_check(ValueId value) const { return checked_.contains(value); }

 private:
  /// Whether some user, which no other operand can leave without elements, makes a NaN or infinity of a value its own,
  /// and that is noticed.
  bool is_shown(ValueId value) const {
    const std::span<const Edge> users = graph_.users(value.node);
    return std::any_of(users.begin(), users.end(), [&](const Edge& edge) {
      const Node& user = graph_.node(edge.user);
      if (edge.slot >= user.inputs.size() || user.inputs[edge.slot] != value) return false;
      return shows(user, edge.slot) && covered_.contains({edge.user, 0}) &&
             nonempty_with(graph_.type(value).shape, user.outputs[0].shape);
    });
  }

  static bool shows(const Node& user, std::size_t input) {
    if (user.op->kind == Kind::assign) return input == 1;  // yields the new value
    return input < user.op->shows_nonfinite;
  }

  const Graph& graph_;
  std::set<ValueId> covered_;  // a NaN in it fails the run
  std::set<ValueId> checked_;  // by a check of its own
};

}  // namespace

bool asserts_finite(const Node& node) {
  switch (node.op->kind) {
    case Kind::elementwise:
    case Kind::reduction:
    case Kind::contraction:
    case Kind::scatter:
    case Kind::random: return true;
    default: return false;
  }
}

Graph assert_finite(const Graph& graph, const Op& check) {
  const Coverage coverage(graph);
  Rebuild rebuild(graph);
  for (const NodeId id : graph.node_ids()) {
    const Node& node = graph.node(id);
    const NodeId copy = rebuild.graph().adopt(node, rebuild.inputs(id), rebuild.control(id));
    Values outputs;
    for (std::uint32_t output = 0; output < node.outputs.size(); ++output) {
      const Value value(rebuild.graph(), {copy, output});
      const bool checked = coverage.needs_check({id, output});
      outputs.push_back(checked ? rebuild.graph().apply({.op = check, .inputs = {value}, .where = node.where}) : value);
    }
    rebuild.replace(id, outputs);
  }
  return rebuild.finish();
}

}  // namespace lathe
