#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lathe/codegen/abi.h>
#include <lathe/codegen/image.h>
#include <lathe/codegen/instruction_set.h>
#include <lathe/codegen/interface.h>
#include <lathe/codegen/program.h>

namespace lathe {

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

/// What a program becomes for one CPU.
struct Code {
  Image image;
  InstructionSet instruction_set = InstructionSet::portable;  // never native
  std::string target;                                         // "znver5, avx512"
  std::vector<CompilePhase> phases;
};

/// Generates a program's code for this machine's CPU, by LLVM. Throws CompileError if the instruction set is not
/// available here.
Code generate(const Program& program, const CompileOptions& options = {});

/// A program that is ready to run, behind one C function pointer. Thread-safe: calls with different arguments may
/// overlap.
class Executable {
 public:
  /// `code`: what generate() once made of such a program. Throws CompileError if the system gives it no memory.
  Executable(Program program, const Code& code);
  /// A program that was not lowered here: `lower` does it, once someone asks for the program.
  Executable(ProgramInterface interface, const Code& code, std::function<Program()> lower);
  /// A program for the interpreter: without an entry point.
  explicit Executable(Program program);

  /// Null for the interpreter.
  abi::EntryPoint entry() const { return image_ ? image_->entry() : nullptr; }
  const ProgramInterface& interface() const { return interface_; }
  const Program& program() const;
  /// abi::Arguments::constants of every run.
  const void* const* constants() const { return constants_.data(); }
  const std::vector<CompilePhase>& phases() const { return phases_; }
  /// "znver5, avx512"; "interpreter"
  const std::string& target() const { return target_; }
  /// What it was compiled for; never native.
  InstructionSet instruction_set() const { return instruction_set_; }

 private:
  ProgramInterface interface_;
  std::function<Program()> lower_;
  mutable std::once_flag lowered_;
  mutable std::optional<Program> program_;
  std::vector<const void*> constants_;
  std::optional<LoadedImage> image_;
  std::vector<CompilePhase> phases_;
  std::string target_;
  InstructionSet instruction_set_ = InstructionSet::portable;
};

/// Generates a program's code and makes it ready to run.
std::shared_ptr<const Executable> compile(Program program, const CompileOptions& options = {});

}  // namespace lathe
