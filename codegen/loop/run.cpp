#include <lathe/codegen/loop/run.h>

#include <utility>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe::loop {

Run::Run(const Program& program, const abi::Arguments& arguments) : program_(program), arguments_(arguments) {
  for (std::size_t i = 0; i < program.symbols.size(); ++i) bindings_.bind(program.symbols[i], arguments.symbols[i]);
}

const std::byte* Run::read(TensorId tensor) const {
  const ProgramTensor& info = program_.tensor(tensor);
  if (info.role == Role::input) return static_cast<const std::byte*>(arguments_.inputs[info.slot]);
  if (info.role == Role::constant) return info.constant->bytes().data();
  return write(tensor);
}

std::byte* Run::write(TensorId tensor) const {
  const ProgramTensor& info = program_.tensor(tensor);
  switch (info.role) {
    case Role::output: return static_cast<std::byte*>(arguments_.outputs[info.slot]);
    case Role::variable: return static_cast<std::byte*>(arguments_.variables[info.slot]);
    case Role::arena: return static_cast<std::byte*>(arguments_.arena) + number(info.arena_offset_bytes);
    case Role::input:
    case Role::constant:
    case Role::dissolved: break;
  }
  ensure(false, fmt::format("tensor '{}' is not in writable memory", info.name));
  return nullptr;
}

void Run::fail(CheckId check, std::int64_t index, std::int64_t detail) {
  const auto number = static_cast<std::int64_t>(check);
  if (std::pair(number, index) < std::pair(failure_.check, failure_.index)) failure_ = {number, index, detail, 0};
}

}  // namespace lathe::loop
