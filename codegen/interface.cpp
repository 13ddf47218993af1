#include <lathe/codegen/interface.h>

#include <variant>

namespace lathe {
namespace {

bool is_kernel(const loop::Step& step) {
  return std::holds_alternative<loop::Kernel>(step) || std::holds_alternative<loop::ScatterKernel>(step);
}

}  // namespace

ProgramInterface interface_of(const Program& program) {
  ProgramInterface out;
  out.inputs = program.inputs.size();
  out.variables = program.variables.size();
  for (const loop::TensorId id : program.outputs) out.outputs.push_back(program.tensor(id).type);
  out.exchanges = program.exchanges;
  for (const ProgramTensor& tensor : program.tensors) {
    out.constants.push_back(tensor.role == Role::constant ? tensor.constant : nullptr);
  }
  out.symbols = program.symbols;
  out.arena_bytes = program.arena_bytes;
  const std::span<const loop::CheckInfo> checks = program.pool->checks();
  out.checks.assign(checks.begin(), checks.end());
  out.steps = program.steps.size();
  for (std::size_t i = 0; i < out.steps; ++i) {
    if (is_kernel(program.steps[i])) ++out.kernels;
    const auto* print = std::get_if<loop::HostStep>(&program.steps[i]);
    if (!print) continue;
    const ProgramTensor& tensor = program.tensor(print->tensor);
    out.prints.push_back({i, print->message, tensor.type, tensor.panel});
  }
  return out;
}

std::vector<const void*> constant_addresses(const ProgramInterface& interface) {
  std::vector<const void*> addresses;
  for (const auto& constant : interface.constants) addresses.push_back(constant ? constant->bytes().data() : nullptr);
  return addresses;
}

}  // namespace lathe
