#include <lathe/runtime/compile.h>

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/lower.h>
#include <lathe/graph/pass.h>
#include <lathe/graph/passes/common_subexpressions.h>
#include <lathe/graph/passes/dead_code.h>
#include <lathe/graph/passes/fold_constants.h>
#include <lathe/graph/passes/simplify.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/cpus.h>
#include <lathe/runtime/program_cache.h>
#include <lathe/runtime/program_key.h>
#include <lathe/runtime/run_program.h>

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

/// One node's outputs from its inputs, with the bits of a run.
std::vector<Tensor> evaluate_node(const Graph& graph, NodeId id,
                                  std::span<const std::shared_ptr<const Tensor>> inputs) {
  Graph alone;
  std::vector<ValueId> constants;
  for (const auto& input : inputs) {
    constants.push_back(alone.apply({.op = op::constant, .attributes = {{"value", input}}}).id());
  }
  const NodeId node = alone.adopt(graph.node(id), std::move(constants), {});
  std::vector<Graph::Output> outputs;
  for (std::uint32_t output = 0; output < alone.node(node).outputs.size(); ++output) {
    outputs.push_back({fmt::format("{}", output), {node, output}});
  }
  alone.set_outputs(std::move(outputs));
  return run_constant_program(lower(alone, {.fuse = false}));
}

PassResult optimise(const Graph& graph, const PassOptions& options) {
  const std::array passes{
      Pass{"dead_code", eliminate_dead_code},
      Pass{"simplify", simplify},
      Pass{"fold_constants", [](const Graph& from) { return fold_constants(from, evaluate_node, op::constant); }},
      Pass{"cse", eliminate_common_subexpressions},
      Pass{"dead_code", eliminate_dead_code},
  };
  return run_passes(graph, passes, options);
}

/// Why the cache has no part in this; empty if it has.
std::string why_uncached(const CacheOptions& cache, const std::filesystem::path& dump) {
  if (!cache.enabled) return "off";
  if (!dump.empty()) return "a dump needs a compilation";
  if (cache.folder.empty()) return "neither XDG_CACHE_HOME nor HOME is set";
  return {};
}

double milliseconds_since(Clock::time_point start) {
  return Milliseconds(Clock::now() - start).count();
}

/// Where the cache keeps a graph's program.
struct CacheEntry {
  ProgramCache cache;
  Digest key;
};

/// Nothing if the cache has no part in this; the report says why, or else which file.
std::optional<CacheEntry> cache_entry(const Graph& graph, const SessionOptions& options,
                                      const CompileOptions& compiling, CacheReport& report) {
  const CacheOptions cache_options = with_environment(options.cache);
  report.why = why_uncached(cache_options, compiling.dump);
  if (!report.why.empty()) return std::nullopt;
  const std::optional<Digest> key = program_key(graph, options, compiling.instruction_set, host_cpu());
  if (!key) {
    report.why = "Lathe was linked without build ids";
    return std::nullopt;
  }
  CacheEntry entry{ProgramCache(cache_options), *key};
  report.file = entry.cache.file(*key);
  return entry;
}

CompiledGraph interpreted(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump) {
  LoweredGraph lowered = lower_graph(graph, options, dump);
  CompiledGraph out;
  out.slots = slot_names(lowered.graph);
  out.executable = std::make_shared<Executable>(std::move(lowered.program));
  out.phases = std::move(lowered.phases);
  out.cache.why = "interpreted";
  return out;
}

void append(std::vector<CompilePhase>& phases, const std::vector<CompilePhase>& more) {
  phases.insert(phases.end(), more.begin(), more.end());
}

}  // namespace

LoweredGraph lower_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump) {
  const PassOptions pass_options{.disable = options.disable, .dump = dump};
  PassResult optimised = optimise(graph, pass_options);
  LoweredGraph out{.graph = std::move(optimised.graph), .program = {}, .phases = {}};
  for (const PassReport& report : optimised.reports) {
    out.phases.push_back({report.name, Milliseconds(report.time).count()});
  }
  const auto start = Clock::now();
  out.program =
      lower(out.graph, {.fuse = options.fuse && pass_options.enabled("fuse"), .panels = stores_panels(options)});
  out.phases.push_back({"lower", milliseconds_since(start)});
  return out;
}

CompiledGraph compile_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump) {
  if (options.interpret) return interpreted(graph, options, dump);
  const CompileOptions compiling{.instruction_set = resolve(options.instruction_set),
                                 .threads = options.threads == 0 ? usable_cpus() : options.threads,
                                 .dump = dump};
  CompiledGraph out;
  const auto start = Clock::now();
  const std::optional<CacheEntry> entry = cache_entry(graph, options, compiling, out.cache);
  if (entry) {
    ProgramCache::Found found = entry->cache.find(entry->key, graph);
    out.phases.push_back({"look up", milliseconds_since(start)});
    if (found.program) {
      out.cache.hit = true;
      out.slots = std::move(found.program->record.slots);
      out.executable = std::make_shared<Executable>(std::move(found.program->record.interface), found.program->code,
                                                    [&graph, options] { return lower_graph(graph, options).program; });
      append(out.phases, out.executable->phases());
      return out;
    }
    out.cache.why = found.why_not;
  }
  LoweredGraph lowered = lower_graph(graph, options, dump);
  append(out.phases, lowered.phases);
  Code code = generate(lowered.program, compiling);
  out.slots = slot_names(lowered.graph);
  out.executable = std::make_shared<Executable>(std::move(lowered.program), code);
  append(out.phases, out.executable->phases());
  if (!entry) return out;
  const auto loaded = Clock::now();
  out.cache.stored =
      compiler_is_as_keyed()
          ? entry->cache.store(entry->key, {std::move(code), {out.executable->interface(), out.slots}}, graph)
          : "not stored: the compiler was replaced meanwhile";
  out.phases.push_back({"store", milliseconds_since(loaded)});
  return out;
}

}  // namespace lathe
