#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <llvm/Support/MemoryBuffer.h>

#include <lathe/codegen/llvm/module.h>

namespace lathe::emit {

/// What becomes of a part.
struct Object {
  std::unique_ptr<llvm::MemoryBuffer> code;
  std::string optimised;  // LLVM's language, after its passes; empty unless listings are wanted
  std::string assembly;
};

/// All parts' objects, in the parts' order.
struct Objects {
  std::vector<Object> parts;
  double optimise_ms = 0;  // of the thread that took longest
  double generate_ms = 0;
};

std::string to_text(const llvm::Module& module);

/// Optimises a module and generates its object.
std::unique_ptr<llvm::MemoryBuffer> compile_module(llvm::Module& module, Target& target);

/// Optimises the parts and generates their code, a thread each.
Objects compile_parts(std::span<const Part> parts, Target& target, bool listings);

}  // namespace lathe::emit
