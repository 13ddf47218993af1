#include <lathe/runtime/compile.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/lower.h>
#include <lathe/graph/pass.h>
#include <lathe/graph/passes/assert_finite.h>
#include <lathe/graph/passes/common_subexpressions.h>
#include <lathe/graph/passes/dead_code.h>
#include <lathe/graph/passes/fold_constants.h>
#include <lathe/graph/passes/simplify.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/cpus.h>
#include <lathe/runtime/debug/finite.h>
#include <lathe/runtime/evaluate_node.h>
#include <lathe/runtime/program_cache.h>
#include <lathe/runtime/program_key.h>

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

std::vector<Tensor> evaluate(const Graph& graph, NodeId id, std::span<const std::shared_ptr<const Tensor>> constants) {
  std::vector<TensorView> inputs;
  for (const auto& constant : constants) inputs.push_back(*constant);
  return evaluate_node(graph, id, inputs);
}

/// The same for runs that assert finite values: what is not finite is theirs to report, so it stays a computation.
std::vector<Tensor> evaluate_finite(const Graph& graph, NodeId id,
                                    std::span<const std::shared_ptr<const Tensor>> constants) {
  std::vector<Tensor> outputs = evaluate(graph, id, constants);
  const bool finite = std::none_of(outputs.begin(), outputs.end(), debug::first_not_finite);
  if (asserts_finite(graph.node(id)) && !finite) throw RunError("not finite");
  return outputs;
}

std::vector<Pass> passes(bool finite) {
  return {
      {"dead_code", eliminate_dead_code},
      {"simplify", simplify},
      {"fold_constants",
       [finite](const Graph& from) { return fold_constants(from, finite ? evaluate_finite : evaluate, op::constant); }},
      {"cse", eliminate_common_subexpressions},
      {"dead_code", eliminate_dead_code},
  };
}

/// Comes last: a check keeps what it checks from being rewritten.
Pass assert_finite_pass() {
  return {"assert_finite", [](const Graph& from) { return assert_finite(from, op::assert_all_finite); }};
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

Graph optimise_graph(const Graph& graph, const SessionOptions& options) {
  return run_passes(graph, passes(options.assert_all_finite), {.disable = options.disable}).graph;
}

LoweredGraph lower_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump) {
  const PassOptions pass_options{.disable = options.disable, .dump = dump};
  std::vector<Pass> all = passes(options.assert_all_finite);
  if (options.assert_all_finite) all.push_back(assert_finite_pass());
  PassResult optimised = run_passes(graph, all, pass_options);
  LoweredGraph out{.graph = std::move(optimised.graph), .program = {}, .phases = {}};
  for (const PassReport& report : optimised.reports) {
    out.phases.push_back({report.name, Milliseconds(report.time).count()});
  }
  const auto start = Clock::now();
  out.program = lower(out.graph, {.fuse = options.fuse && pass_options.enabled("fuse"),
                                  .strips = pass_options.enabled("strips"),
                                  .panels = stores_panels(options),
                                  .exchange = options.assert_all_finite});
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
