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

/// Code from the cache, or else from the compiler, and then stored for later processes.
Code code_of(const Graph& optimised, const LowerOptions& lowering, const Program& program,
             const CompileOptions& options, const CacheOptions& cache_options, CacheReport& report) {
  report.why = why_uncached(cache_options, options.dump);
  if (!report.why.empty()) return generate(program, options);
  const auto start = Clock::now();
  const std::optional<Digest> key = program_key(optimised, lowering, program, options.instruction_set, host_cpu());
  if (!key) {
    report.why = "Lathe was linked without build ids";
    return generate(program, options);
  }
  const ProgramCache cache(cache_options);
  report.file = cache.file(*key);
  ProgramCache::Found found = cache.find(*key);
  const CompilePhase look_up{"look up", milliseconds_since(start)};
  if (found.code) {
    report.hit = true;
    found.code->phases = {look_up};
    return *std::move(found.code);
  }
  report.why = found.why_not;
  Code code = generate(program, options);
  const auto generated = Clock::now();
  report.stored = compiler_is_as_keyed() ? cache.store(*key, code) : "not stored: the compiler was replaced meanwhile";
  code.phases.insert(code.phases.begin(), look_up);
  code.phases.push_back({"store", milliseconds_since(generated)});
  return code;
}

}  // namespace

LoweredGraph lower_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump) {
  const PassOptions pass_options{.disable = options.disable, .dump = dump};
  PassResult optimised = optimise(graph, pass_options);
  LoweredGraph out{.graph = std::move(optimised.graph),
                   .lowering = {.fuse = options.fuse && pass_options.enabled("fuse"), .panels = true},
                   .program = {},
                   .phases = {}};
  for (const PassReport& report : optimised.reports) {
    out.phases.push_back({report.name, Milliseconds(report.time).count()});
  }
  const auto start = Clock::now();
  out.program = lower(out.graph, out.lowering);
  out.phases.push_back({"lower", milliseconds_since(start)});
  return out;
}

CompiledGraph compile_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump) {
  LoweredGraph lowered = lower_graph(graph, options, dump);
  CompiledGraph out{std::move(lowered.graph), nullptr, std::move(lowered.phases), {}};
  if (options.interpret) {
    out.executable = std::make_shared<Executable>(std::move(lowered.program));
    out.cache.why = "interpreted";
    return out;
  }
  const CompileOptions compiling{.instruction_set = resolve(options.instruction_set),
                                 .threads = options.threads == 0 ? usable_cpus() : options.threads,
                                 .dump = dump};
  const Code code =
      code_of(out.graph, lowered.lowering, lowered.program, compiling, with_environment(options.cache), out.cache);
  out.executable = std::make_shared<Executable>(std::move(lowered.program), code);
  out.phases.insert(out.phases.end(), out.executable->phases().begin(), out.executable->phases().end());
  return out;
}

}  // namespace lathe
