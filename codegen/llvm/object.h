#pragma once

#include <memory>
#include <string>

#include <llvm/IR/Module.h>
#include <llvm/Support/MemoryBuffer.h>

#include <lathe/codegen/llvm/target.h>

namespace lathe::emit {

/// Machine code of a whole module as a relocatable object file.
std::unique_ptr<llvm::MemoryBuffer> compile_to_object(llvm::Module& module, Target& target);
/// The same as assembly, for dumps. Takes a copy since code generation changes a module.
std::string compile_to_assembly(const llvm::Module& module, Target& target);

}  // namespace lathe::emit
