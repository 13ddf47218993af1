#pragma once

#include <filesystem>

#include <lathe/codegen/executable.h>
#include <lathe/codegen/library.h>

namespace lathe {

/// The border between Lathe and LLVM. LLVM takes longer to load than a small model to compile, so all that needs it is
/// in a library of its own, liblathe_llvm.so, which is loaded when something has to be compiled: a process that finds
/// its programs in the cache never does.
class Compiler {
 public:
  virtual ~Compiler() = default;

  /// `options.instruction_set` is resolved. Thread-safe.
  virtual Code generate(const Program& program, const CompileOptions& options) const = 0;
  /// compile() of library.h.
  virtual LibraryObject generate(const LibrarySpec& library, const std::vector<AotTarget>& targets) const = 0;
};

/// Where the library is looked for: beside the one that this function is in.
std::filesystem::path compiler_library();

/// Loads the library, the first time. Throws CompileError saying what was looked for and why it cannot be used.
const Compiler& compiler();

extern "C" {
/// What the library exports under the name "lathe_llvm_compiler".
using CompilerFunction = const Compiler* (*)();
}

}  // namespace lathe
