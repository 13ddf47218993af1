#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lathe/codegen/abi.h>
#include <lathe/codegen/program.h>

namespace lathe {

/// The vector instructions that compiled code may use. `native` is the best of them that this CPU has. avx2, avx512 and
/// neon give the same bits as each other and as the interpreter; `portable` (x86-64's baseline, or whatever the host
/// is) has no fused multiply-add and so may differ in last bits.
enum class InstructionSet { native, portable, avx2, avx512, neon };

std::string_view to_string(InstructionSet set);
/// Whether this machine's CPU runs code for `set`.
bool is_available(InstructionSet set);
/// Throws CompileError listing the names if `name` is none of them.
InstructionSet parse_instruction_set(std::string_view name);

struct CompileOptions {
  InstructionSet instruction_set = InstructionSet::native;
  /// That generate code at once.
  int threads = 1;
  /// Where to write kernels.txt, module.ll, module_optimised.ll and module.s; nowhere if empty.
  std::filesystem::path dump = {};
};

/// What compiling cost, in milliseconds.
struct CompilePhase {
  std::string name;
  double milliseconds;
};

/// A compiled program behind one C function pointer. Thread-safe: calls with different arguments may overlap.
class Executable {
 public:
  virtual ~Executable() = default;

  abi::EntryPoint entry() const { return entry_; }
  const Program& program() const { return program_; }
  const std::vector<CompilePhase>& phases() const { return phases_; }
  /// "znver5, avx512"
  const std::string& target() const { return target_; }
  /// What it was compiled for; never native.
  InstructionSet instruction_set() const { return instruction_set_; }

 protected:
  Program program_;
  abi::EntryPoint entry_ = nullptr;
  std::vector<CompilePhase> phases_;
  std::string target_;
  InstructionSet instruction_set_ = InstructionSet::portable;
};

/// Compiles a program for this machine's CPU. Throws CompileError if the instruction set is not available here.
std::shared_ptr<const Executable> compile(Program program, const CompileOptions& options = {});

}  // namespace lathe
