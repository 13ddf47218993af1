#pragma once

#include <span>
#include <string>

#include <llvm/IR/Module.h>

#include <lathe/codegen/library.h>
#include <lathe/codegen/llvm/target.h>

namespace lathe::emit {

/// The code of a library for one kind of CPU.
struct Variant {
  std::string name;  // "x86-64-v4"
  /// What cpu_level() must say for the CPU to run it: 3 or 4 for x86-64-v3 and -v4, 0 if it is not asked.
  int level = 0;
};

/// The abi::EntryPoint of a function's code for a variant; the linker knows it within the object only.
std::string entry_name(const LibraryFunction& function, const Variant& variant);

/// Emits all that a library's callers see: a C function for each program, which checks its arguments and calls the
/// program's entry in the first of `variants` that the CPU runs; the sizes of arenas; import and export of variables;
/// messages; the checksum.
void emit_wrappers(const LibrarySpec& library, std::span<const Variant> variants, const Target& target,
                   llvm::Module& module);

}  // namespace lathe::emit
