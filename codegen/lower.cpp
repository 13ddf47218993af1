#include <lathe/codegen/lower.h>

#include <algorithm>

#include <lathe/codegen/dissolve.h>
#include <lathe/codegen/kernels.h>
#include <lathe/codegen/layout.h>
#include <lathe/codegen/memory_plan.h>

namespace lathe {
namespace {

/// Those in types, and those that only attributes mention, such as where a slice begins.
std::vector<SymbolId> symbols_of(const Program& program, const Graph& graph) {
  std::vector<SymbolId> symbols;
  for (const ProgramTensor& tensor : program.tensors) {
    for (const Dim& extent : tensor.type.shape) extent.collect(symbols);
  }
  for (const NodeId id : graph.node_ids()) {
    for (const auto& [name, value] : graph.node(id).attributes) {
      const Shape* shape = std::get_if<Shape>(&value);
      if (!shape) continue;
      for (const Dim& extent : graph.resolve(*shape)) extent.collect(symbols);
    }
  }
  // Ids depend on who interned first; names do not.
  std::sort(symbols.begin(), symbols.end(), [](SymbolId a, SymbolId b) { return name_of(a) < name_of(b); });
  return symbols;
}

}  // namespace

Program lower(const Graph& graph, const LowerOptions& options) {
  Lowered lowered = define(graph);
  if (options.fuse) dissolve(lowered);
  const std::vector<Group> groups = options.fuse ? group(lowered) : group_alone(lowered);
  const Placement placement = place(lowered, groups);

  Program program;
  program.pool = lowered.pool;
  for (const std::size_t g : placement.order) {
    program.steps.push_back(build_step(lowered, groups[g], placement));
    for (const loop::HostStep& host : lowered.host_steps) {
      const auto& members = groups[g].members;
      if (std::find(members.begin(), members.end(), host.tensor) == members.end()) continue;
      program.steps.push_back(loop::HostStep{host.message, placement.home[static_cast<std::size_t>(host.tensor)]});
    }
  }
  for (const loop::CommitStep& commit : placement.commits) program.steps.push_back(commit);
  program.tensors = std::move(lowered.tensors);
  program.inputs = std::move(lowered.inputs);
  program.outputs = std::move(lowered.outputs);
  program.variables = std::move(lowered.variables);
  if (options.panels) store_variables_in_panels(program);
  program.symbols = symbols_of(program, graph);
  plan_memory(program);
  return program;
}

}  // namespace lathe
