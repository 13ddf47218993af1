#include <lathe/codegen/lower.h>

#include <algorithm>

#include <lathe/codegen/dissolve.h>
#include <lathe/codegen/kernels.h>
#include <lathe/codegen/layout.h>
#include <lathe/codegen/lazy.h>
#include <lathe/codegen/memory_plan.h>
#include <lathe/codegen/strips.h>

namespace lathe {
namespace {

std::vector<SymbolId> symbols_of(const Graph& graph, const Program& program) {
  std::vector<SymbolId> symbols;
  // A node may compute with an extent that no tensor has.
  for (const NodeId id : graph.node_ids()) {
    for (const auto& [name, value] : graph.node(id).attributes) {
      const auto* shape = std::get_if<Shape>(&value);
      if (!shape) continue;
      for (const Dim& extent : graph.resolve(*shape)) extent.collect(symbols);
    }
  }
  for (const ProgramTensor& tensor : program.tensors) {
    for (const Dim& extent : tensor.type.shape) extent.collect(symbols);
  }
  // Ids depend on who interned first; names do not.
  std::sort(symbols.begin(), symbols.end(), [](SymbolId a, SymbolId b) { return name_of(a) < name_of(b); });
  return symbols;
}

/// Where a CommitStep would copy a new value out of the arena, lets the caller swap it in.
void exchange_variables(Program& program) {
  std::erase_if(program.steps, [&](const loop::Step& step) {
    const auto* commit = std::get_if<loop::CommitStep>(&step);
    ProgramTensor* from = commit ? &program.tensors.at(number(commit->from)) : nullptr;
    if (!from || from->role != Role::arena) return false;
    from->role = Role::output;
    from->slot = static_cast<std::uint32_t>(program.outputs.size());
    program.outputs.push_back(commit->from);
    program.exchanges.push_back({from->slot, program.tensor(commit->variable).slot});
    return true;
  });
}

}  // namespace

Program lower(const Graph& graph, const LowerOptions& options) {
  Lowered lowered = define(graph);
  if (options.fuse) {
    dissolve(lowered);
    select_lazily(lowered);
  }
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
  if (options.exchange) exchange_variables(program);
  program.symbols = symbols_of(graph, program);
  if (options.fuse && options.strips) find_strips(program);
  plan_memory(program);
  return program;
}

}  // namespace lathe
