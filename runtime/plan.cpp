#include <lathe/runtime/plan.h>

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include <lathe/codegen/loop/expr.h>
#include <lathe/runtime/compile.h>
#include <lathe/runtime/log.h>

namespace lathe {
namespace {

/// A folder name out of a node's: "dense_1/matmul:1" becomes "dense_1_matmul_1".
std::string folder_name(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == ':' || c == '#'; }, '_');
  return name;
}

bool is_kernel(const loop::Step& step) {
  return std::holds_alternative<loop::Kernel>(step) || std::holds_alternative<loop::ScatterKernel>(step);
}

/// The variables whose old value something in the graph uses.
std::set<NodeId> variables_read(const Graph& graph) {
  std::set<NodeId> read;
  const auto note = [&](ValueId value) {
    if (graph.node(value.node).op->kind == Kind::variable) read.insert(value.node);
  };
  for (const NodeId id : graph.node_ids()) {
    const Node& node = graph.node(id);
    const std::size_t targets = node.op->kind == Kind::assign ? 1 : 0;
    for (std::size_t i = targets; i < node.inputs.size(); ++i) note(node.inputs[i]);
  }
  for (const Graph::Output& output : graph.outputs()) note(output.value);
  return read;
}

std::set<NodeId> variables_assigned(const Graph& graph) {
  std::set<NodeId> assigned;
  for (const NodeId id : graph.node_ids()) {
    if (graph.node(id).op->kind == Kind::assign) assigned.insert(graph.node(id).inputs[0].node);
  }
  return assigned;
}

}  // namespace

Plan::Plan(const Graph& graph, std::span<const ValueId> fetches, std::span<const ValueId> feeds)
    : feed_ids_(feeds.begin(), feeds.end()), feeds_(graph, feeds), extraction_(extract(graph, fetches, feeds)) {
  statistics.name = fetches.empty() ? "nothing" : extraction_.graph.outputs().front().name;
  note_extents();
}

Plan::Plan(const Graph& graph, Initialize) : extraction_(extract_initializers(graph)) {
  statistics.name = "initialize";
  note_extents();
}

void Plan::note_extents() {
  const Graph& graph = extraction_.graph;
  std::vector<SymbolId> known;
  for (const NodeId id : graph.node_ids()) {
    const Node& node = graph.node(id);
    for (const TensorType& type : node.outputs) {
      for (std::size_t axis = 0; axis < type.rank(); ++axis) {
        const Dim& extent = type.shape[axis];
        extent.collect(known);
        while (needed_symbols_.size() < known.size()) {
          needed_symbols_.push_back({known[needed_symbols_.size()], describe(node)});
        }
        if (!loop::never_negative(extent)) doubtful_.push_back({extent, describe(node), axis});
      }
    }
  }
}

void Plan::check_symbols(const Bindings& bindings) const {
  for (const Symbol& symbol : needed_symbols_) {
    if (bindings.find(symbol.id)) continue;
    throw RunError(fmt::format("nothing that is fed says what '{}' is, and the {} needs it", name_of(symbol.id),
                               symbol.needed_by));
  }
  for (const Doubtful& doubtful : doubtful_) {
    const std::int64_t extent = doubtful.extent.evaluate(bindings);
    if (extent >= 0) continue;
    throw RunError(fmt::format("{}: axis {} of its result would have the extent {} = {}", doubtful.node, doubtful.axis,
                               to_string(doubtful.extent), extent));
  }
}

void Plan::compile(const SessionOptions& options, std::size_t number) {
  ensure(!compiled(), "a plan was compiled twice");
  const std::filesystem::path dump = options.dump.empty()
                                         ? std::filesystem::path()
                                         : options.dump / fmt::format("{:02}_{}", number, folder_name(statistics.name));
  CompiledGraph compiled = compile_graph(extraction_.graph, options, dump);
  statistics.phases = std::move(compiled.phases);
  for (const CompilePhase& phase : statistics.phases) statistics.compile_milliseconds += phase.milliseconds;
  statistics.cache = std::move(compiled.cache);
  log("cache", fmt::format("'{}' {}", statistics.name, to_string(statistics.cache)));
  const Program& program = compiled.executable->program();
  statistics.kernels = static_cast<std::size_t>(std::count_if(program.steps.begin(), program.steps.end(), is_kernel));
  statistics.target = compiled.executable->target();
  map_slots(compiled.graph, program);
  executable_ = std::move(compiled.executable);
}

// The slots of a program are its graph's placeholders and variables, in the graph's order.
void Plan::map_slots(const Graph& optimised, const Program& program) {
  const std::set<NodeId> read = variables_read(optimised);
  const std::set<NodeId> assigned = variables_assigned(optimised);
  for (const NodeId id : optimised.node_ids()) {
    const Node& node = optimised.node(id);
    if (node.op->kind == Kind::variable) {
      variables_.push_back({extraction_.variables.at(node.name), read.contains(id), assigned.contains(id)});
    }
    if (node.op->kind != Kind::placeholder) continue;
    const auto& fed = extraction_.inputs.at(node.name);
    if (!fed) uses_seed_ = true;
    inputs_.push_back(
        fed ? Input(static_cast<std::size_t>(std::find(feed_ids_.begin(), feed_ids_.end(), *fed) - feed_ids_.begin()))
            : std::nullopt);
  }
  ensure(inputs_.size() == program.inputs.size(), "a program has other inputs than its graph");
  ensure(variables_.size() == program.variables.size(), "a program has other variables than its graph");
  for (const SymbolId symbol : program.symbols) symbols_.push_back(optimised.resolve(Dim(symbol)));
}

}  // namespace lathe
