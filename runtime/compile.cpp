#include <lathe/runtime/compile.h>

#include <array>
#include <chrono>

#include <fmt/format.h>

#include <lathe/codegen/lower.h>
#include <lathe/graph/pass.h>
#include <lathe/graph/passes/common_subexpressions.h>
#include <lathe/graph/passes/dead_code.h>
#include <lathe/graph/passes/fold_constants.h>
#include <lathe/graph/passes/simplify.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/cpus.h>
#include <lathe/runtime/run_program.h>

namespace lathe {
namespace {

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

}  // namespace

LoweredGraph lower_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump) {
  const PassOptions pass_options{.disable = options.disable, .dump = dump};
  PassResult optimised = optimise(graph, pass_options);
  LoweredGraph out{std::move(optimised.graph), {}, {}};
  for (const PassReport& report : optimised.reports) {
    out.phases.push_back({report.name, Milliseconds(report.time).count()});
  }
  const auto start = std::chrono::steady_clock::now();
  out.program = lower(out.graph, {.fuse = options.fuse && pass_options.enabled("fuse"), .panels = true});
  out.phases.push_back({"lower", Milliseconds(std::chrono::steady_clock::now() - start).count()});
  return out;
}

CompiledGraph compile_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump) {
  LoweredGraph lowered = lower_graph(graph, options, dump);
  CompiledGraph out{std::move(lowered.graph), nullptr, std::move(lowered.phases)};
  if (options.interpret) {
    out.executable = std::make_shared<Executable>(std::move(lowered.program));
    return out;
  }
  out.executable =
      compile(std::move(lowered.program), {.instruction_set = options.instruction_set,
                                           .threads = options.threads == 0 ? usable_cpus() : options.threads,
                                           .dump = dump});
  out.phases.insert(out.phases.end(), out.executable->phases().begin(), out.executable->phases().end());
  return out;
}

}  // namespace lathe
