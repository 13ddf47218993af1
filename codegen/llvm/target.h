#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <llvm/Support/Error.h>
#include <llvm/Target/TargetMachine.h>

#include <lathe/codegen/library.h>
#include <lathe/codegen/machine.h>
#include <lathe/graph/error.h>

namespace lathe::emit {

/// The CPU that code is made for.
struct Target {
  InstructionSet set;  // never native
  MachineModel machine;
  std::string cpu;
  std::string features;  // as LLVM takes them: "+avx2,-avx512f"
  bool has_fma;
  bool has_rounding;  // floor, ceil and round are instructions
  std::unique_ptr<llvm::TargetMachine> target_machine;

  bool is_x86() const { return target_machine->getTargetTriple().isX86(); }
};

/// Describes this host with no more than `set`, which it has.
Target make_target(InstructionSet set);
/// Describes any CPU of a kind, for code that Linux runs.
Target make_target(AotTarget target);
/// x86-64 without anything beyond it: what code is made for that must run before it is known what the CPU has.
Target make_baseline_target();

/// The value, or a CompileError: "linking compiled code: <LLVM's message>".
template <class T>
T unwrap(llvm::Expected<T> expected, std::string_view doing) {
  if (expected) return std::move(*expected);
  throw CompileError(std::string(doing) + ": " + llvm::toString(expected.takeError()));
}
void unwrap(llvm::Error error, std::string_view doing);

}  // namespace lathe::emit
