#include <lathe/runtime/extract.h>

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>

#include <lathe/ops/effect.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

std::string name_in(const Graph& graph, ValueId value) {
  const std::string& node = graph.node(value.node).name;
  return value.output == 0 ? node : fmt::format("{}:{}", node, value.output);
}

class Extractor {
 public:
  Extractor(const Graph& graph, std::span<const ValueId> fetches, std::span<const ValueId> feeds)
      : graph_(graph),
        fetches_(fetches.begin(), fetches.end()),
        fed_(feeds.begin(), feeds.end()),
        live_(graph.size()),
        needed_by_(graph.size()) {}

  /// Where `variable` is read, `value` stands in for it.
  void replace_reads(NodeId variable, ValueId value) { initial_values_.emplace(variable, value); }

  /// The fetches, as outputs.
  Extraction fetch() {
    build();
    name_outputs();
    return std::move(out_);
  }

  /// The fetches' effects, behind one output.
  Extraction carry_out() {
    build();
    std::vector<NodeId> effects;
    for (const ValueId value : fetches_) effects.push_back(nodes_.at(value.node));
    const Value done = out_.graph.apply({.op = op::group, .name = "done", .control = std::move(effects)});
    out_.graph.set_outputs({{done.name(), done.id()}});
    return std::move(out_);
  }

 private:
  static std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

  void build() {
    mark_live();
    out_.graph.adopt_symbols(graph_);
    for (const NodeId id : graph_.node_ids()) {
      add_fed_values(id);
      if (live_[index(id)]) copy(id);
    }
  }

  // An assignment's first input is the variable itself, not what it holds: no feed takes its place.
  bool is_target(const Node& node, std::size_t input) const { return node.op->kind == Kind::assign && input == 0; }

  ValueId source_of(NodeId user, std::size_t input) const {
    const ValueId value = graph_.node(user).inputs[input];
    if (is_target(graph_.node(user), input)) return value;
    const auto initial = initial_values_.find(value.node);
    return initial != initial_values_.end() && initial->second.node < user ? initial->second : value;
  }

  void need(ValueId value, std::optional<NodeId> user) {
    if (fed_.contains(value)) {
      used_feeds_.insert(value);
    } else {
      need(value.node, user);
    }
  }

  void need(NodeId id, std::optional<NodeId> user) {
    if (live_[index(id)]) return;
    live_[index(id)] = true;
    needed_by_[index(id)] = user;
  }

  void mark_live() {
    for (const ValueId fetch : fetches_) need(fetch, std::nullopt);
    const std::vector<NodeId> ids = graph_.node_ids();
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
      if (!live_[index(*id)]) continue;
      const Node& node = graph_.node(*id);
      if (node.op->kind == Kind::placeholder && node.op != &op::run_seed) not_fed(*id);
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (is_target(node, i)) {
          need(node.inputs[i].node, *id);
        } else {
          need(source_of(*id, i), *id);
        }
      }
      for (const NodeId before : node.control) {
        if (orders_something(before)) need(before, *id);
      }
    }
  }

  // A placeholder has no effect to wait for.
  bool orders_something(NodeId id) const { return graph_.node(id).op->kind != Kind::placeholder; }

  [[noreturn]] void not_fed(NodeId id) const {
    const auto user = needed_by_[index(id)];
    throw RunError(fmt::format("{} is not fed, and {}", describe(graph_.node(id)),
                               user ? fmt::format("{} needs it", describe(graph_.node(*user))) : "it is fetched"));
  }

  void add_fed_values(NodeId id) {
    const Node& node = graph_.node(id);
    for (std::uint32_t output = 0; output < node.outputs.size(); ++output) {
      const ValueId value{id, output};
      if (!used_feeds_.contains(value)) continue;
      Node input;
      input.op = &op::placeholder;
      input.attributes = {{"dtype", node.outputs[output].dtype}, {"shape", node.outputs[output].shape}};
      // The node itself may stay, for its other outputs or for assignments, and keeps its name.
      input.name = live_[index(id)] ? fmt::format("{}:{}", node.name, output) : name_in(graph_, value);
      input.where = node.where;
      const NodeId placed = out_.graph.adopt(input, {}, {});
      out_.inputs.emplace(out_.graph.node(placed).name, value);
      fed_values_.emplace(value, ValueId{placed, 0});
    }
  }

  ValueId copied(ValueId value) const {
    const auto fed = fed_values_.find(value);
    return fed != fed_values_.end() ? fed->second : ValueId{nodes_.at(value.node), value.output};
  }

  void copy(NodeId id) {
    const Node& node = graph_.node(id);
    std::vector<ValueId> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      inputs.push_back(is_target(node, i) ? ValueId{nodes_.at(node.inputs[i].node), node.inputs[i].output}
                                          : copied(source_of(id, i)));
    }
    std::vector<NodeId> control;
    for (const NodeId before : node.control) {
      if (orders_something(before)) control.push_back(nodes_.at(before));
    }
    const NodeId placed = out_.graph.adopt(node, std::move(inputs), std::move(control));
    nodes_.emplace(id, placed);
    const std::string& name = out_.graph.node(placed).name;
    if (node.op->kind == Kind::variable) out_.variables.emplace(name, id);
    if (node.op->kind == Kind::placeholder) out_.inputs.emplace(name, std::nullopt);
  }

  void name_outputs() {
    std::vector<Graph::Output> outputs;
    std::map<std::string, int> uses;
    for (const ValueId fetch : fetches_) {
      std::string name = name_in(graph_, fetch);
      if (const int before = uses[name]++; before > 0) name += fmt::format("#{}", before + 1);
      outputs.push_back({std::move(name), copied(fetch)});
    }
    out_.graph.set_outputs(std::move(outputs));
  }

  const Graph& graph_;
  std::vector<ValueId> fetches_;
  std::set<ValueId> fed_;
  std::map<NodeId, ValueId> initial_values_;
  std::vector<bool> live_;
  std::vector<std::optional<NodeId>> needed_by_;
  std::set<ValueId> used_feeds_;
  std::map<ValueId, ValueId> fed_values_;  // the user's value to its placeholder
  std::map<NodeId, NodeId> nodes_;         // the user's node to its copy
  Extraction out_;
};

bool is_initializer(const Node& node) {
  const Attribute* mark = node.op->kind == Kind::assign ? node.attributes.find("initializer") : nullptr;
  return mark && *mark == Attribute(true);
}

}  // namespace

Extraction extract(const Graph& graph, std::span<const ValueId> fetches, std::span<const ValueId> feeds) {
  return Extractor(graph, fetches, feeds).fetch();
}

std::vector<ValueId> initializers(const Graph& graph) {
  std::vector<ValueId> values;
  for (const NodeId id : graph.node_ids()) {
    if (is_initializer(graph.node(id))) values.push_back({id, 0});
  }
  return values;
}

Extraction extract_initializers(const Graph& graph) {
  const std::vector<ValueId> values = initializers(graph);
  Extractor extractor(graph, values, {});
  for (const ValueId value : values) extractor.replace_reads(graph.node(value.node).inputs[0].node, value);
  return extractor.carry_out();
}

}  // namespace lathe
