#pragma once

#include <lathe/codegen/llvm/module.h>

namespace lathe::emit {

/// Emits i32 (): the level of the x86-64 CPU that it runs on, as the System V ABI counts: 4, 3, or 1 for less. Asks the
/// CPU once, since a virtual machine may take long to answer: all that code compiled ahead of time ever keeps.
llvm::Function* emit_cpu_level(ModuleEmitter& module);

}  // namespace lathe::emit
