#include <lathe/ops/gradients.h>

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

[[noreturn]] void fail(const std::source_location& where, std::string_view message) {
  throw GraphError(fmt::format("gradients ({}): {}", describe(SourceLine(where)), message));
}

void require_floats(const Values& values, std::string_view role, const Graph& graph,
                    const std::source_location& where) {
  for (const Value& value : values) {
    if (value.empty()) fail(where, fmt::format("{} is an empty Value", role));
    if (&value.graph() != &graph) fail(where, fmt::format("{} '{}' belongs to another graph", role, value.name()));
    if (!is_float(value.dtype())) {
      fail(where,
           fmt::format("{} '{}' is {}, and only floats have gradients", role, value.name(), to_string(value.dtype())));
    }
  }
}

void require_type_of(const Value& y, const Value& grad_y, const std::source_location& where) {
  const std::string message = fmt::format("grad_y '{}' is {}, and y '{}' is {}", grad_y.name(),
                                          to_string(grad_y.type()), y.name(), to_string(y.type()));
  if (grad_y.dtype() != y.dtype() || grad_y.rank() != y.rank()) fail(where, message);
  for (std::size_t axis = 0; axis < y.rank(); ++axis) {
    if (!y.graph().unify(grad_y.shape()[axis], y.shape()[axis])) fail(where, message);
  }
}

/// A flag for some of the nodes that there were before differentiation began.
class Marks {
 public:
  void set(NodeId id, bool flag = true) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= flags_.size()) flags_.resize(index + 1);
    flags_[index] = flag;
  }
  bool operator[](NodeId id) const {
    const auto index = static_cast<std::size_t>(id);
    return index < flags_.size() && flags_[index];
  }

 private:
  std::vector<bool> flags_;
};

/// The nodes that have an x, or something that depends on one, among their inputs. Nodes stand in order, inputs before
/// uses, so that one sweep each way finds every path, however deep the graph.
Marks depending_on(const Graph& graph, std::span<const NodeId> order, const std::set<ValueId>& is_x) {
  Marks depends;
  for (const NodeId id : order) {
    for (const ValueId& input : graph.node(id).inputs) {
      if (is_x.contains(input) || depends[input.node]) depends.set(id);
    }
  }
  return depends;
}

/// Those of `depends` that the ys are made from.
Marks leading_to(const Graph& graph, std::span<const NodeId> order, const Values& ys, const Marks& depends) {
  Marks leads;
  for (const Value& y : ys) leads.set(y.id().node);
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    if (!leads[*id]) continue;
    leads.set(*id, depends[*id]);
    if (!depends[*id]) continue;
    for (const ValueId& input : graph.node(*id).inputs) leads.set(input.node);
  }
  return leads;
}

/// Gradients as they come in, value by value.
class Accumulator {
 public:
  void add(ValueId value, const Value& gradient) { parts_[value].push_back(gradient); }

  /// The sum of what has come in for `value`, or an empty handle.
  Value total(ValueId value) {
    const auto found = parts_.find(value);
    if (found == parts_.end()) return {};
    Values& parts = found->second;
    Value total = parts.front();
    for (std::size_t i = 1; i < parts.size(); ++i) total = total + parts[i];
    parts = {total};
    return total;
  }

 private:
  std::map<ValueId, Values> parts_;
};

/// Runs the node's gradient rule and hands on what flows to inputs that matter.
void propagate(Graph& graph, NodeId id, const Values& grad_outputs, const std::set<ValueId>& is_x, const Marks& depends,
               Accumulator& accumulated, const std::source_location& where) {
  const Node& node = graph.node(id);
  if (!node.op->gradient) {
    fail(where, fmt::format("{} is not differentiable: {}", describe(node), node.op->not_differentiable));
  }
  const std::size_t inputs = node.inputs.size();
  const auto wanted = std::make_unique<bool[]>(inputs);
  for (std::size_t i = 0; i < inputs; ++i) wanted[i] = is_x.contains(node.inputs[i]) || depends[node.inputs[i].node];
  const Values flows = node.op->gradient(GradientContext{graph, id, grad_outputs, {wanted.get(), inputs}});
  // Messages only where they are needed: op by op, formatting them would take as long as a small kernel.
  if (flows.size() != inputs) {
    ensure(false,
           fmt::format("the gradient rule of '{}' gives {} values for {} inputs", node.op->name, flows.size(), inputs));
  }
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const ValueId input = node.inputs[i];
    if (flows[i].empty() || !wanted[i]) continue;
    if (flows[i].type() != graph.type(input)) {
      ensure(false, fmt::format("the gradient rule of '{}' gives {} for input {}, which is {}", node.op->name,
                                to_string(flows[i].type()), i, to_string(graph.type(input))));
    }
    accumulated.add(input, flows[i]);
  }
}

}  // namespace

Values gradients(const Values& ys, const Values& xs, const Values& grad_ys, GradientOptions options,
                 std::source_location where) {
  const bool none = ys.empty() || ys.front().empty();
  return gradients_along(none ? std::vector<NodeId>() : ys.front().graph().node_ids(), ys, xs, grad_ys, options, where);
}

Values gradients_along(std::span<const NodeId> order, const Values& ys, const Values& xs, const Values& grad_ys,
                       GradientOptions options, std::source_location where) {
  if (ys.empty() || ys.front().empty()) fail(where, "there is no y to differentiate");
  Graph& graph = ys.front().graph();
  require_floats(ys, "y", graph, where);
  require_floats(xs, "x", graph, where);
  if (!grad_ys.empty() && grad_ys.size() != ys.size()) {
    fail(where, fmt::format("{} ys need as many grad_ys, {} given", ys.size(), grad_ys.size()));
  }

  std::set<ValueId> is_x;
  for (const Value& x : xs) is_x.insert(x.id());
  const Marks depends = depending_on(graph, order, is_x);
  const Marks on_path = leading_to(graph, order, ys, depends);

  const Graph::Scope scope(graph, "gradients");
  Accumulator accumulated;
  for (std::size_t i = 0; i < ys.size(); ++i) {
    const Value given = grad_ys.empty() ? Value() : grad_ys[i];
    if (!given.empty()) {
      require_floats({given}, "grad_y", graph, where);
      require_type_of(ys[i], given, where);
    }
    accumulated.add(ys[i].id(), given.empty() ? ones_like(ys[i], where) : given);
  }

  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const NodeId id = *at;
    if (!on_path[id]) continue;
    const Graph::Origin origin(graph, id);
    Values grad_outputs;
    bool flows = false;
    for (std::uint32_t output = 0; output < graph.node(id).outputs.size(); ++output) {
      grad_outputs.push_back(accumulated.total({id, output}));
      flows = flows || !grad_outputs.back().empty();
    }
    if (flows) propagate(graph, id, grad_outputs, is_x, depends, accumulated, where);
  }

  Values result;
  for (const Value& x : xs) {
    const Value dx = [&] {
      const Graph::Origin origin(graph, x.id().node);
      return accumulated.total(x.id());
    }();
    if (dx.empty() && options.unconnected == Unconnected::error) {
      fail(where, fmt::format("the ys do not depend on x '{}' in a differentiable way", x.name()));
    }
    result.push_back(dx.empty() && options.unconnected == Unconnected::zeros ? zeros_like(x, where) : dx);
  }
  return result;
}

}  // namespace lathe
