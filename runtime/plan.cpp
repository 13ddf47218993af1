#include <lathe/runtime/plan.h>

#include <algorithm>

#include <fmt/format.h>

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
      for (const Dim& extent : type.shape) {
        extent.collect(known);
        while (needed_symbols_.size() < known.size()) {
          needed_symbols_.push_back({known[needed_symbols_.size()], describe(node)});
        }
      }
    }
  }
  doubtful_ = doubtful_extents(graph);
}

void Plan::bind(std::span<const TensorView> feeds, Bindings& bindings) const {
  feeds_.bind(feeds, bindings);
  for (const Symbol& symbol : needed_symbols_) {
    if (bindings.find(symbol.id)) continue;
    throw RunError(fmt::format("nothing that is fed says what '{}' is, and the {} needs it", name_of(symbol.id),
                               symbol.needed_by));
  }
  for (const DoubtfulExtent& doubtful : doubtful_) {
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
  const ProgramInterface& interface = compiled.executable->interface();
  statistics.kernels = interface.kernels;
  statistics.target = compiled.executable->target();
  slots_ = slots_of(extraction_, feed_ids_, compiled.slots, interface.symbols);
  executable_ = std::move(compiled.executable);
}

}  // namespace lathe
