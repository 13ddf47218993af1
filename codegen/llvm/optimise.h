#pragma once

#include <llvm/IR/Module.h>

#include <lathe/codegen/llvm/target.h>

namespace lathe::emit {

/// Runs the short list of passes that explicit vector code needs: no inlining, no vectorisers, no unrolling.
void optimise(llvm::Module& module, Target& target);

}  // namespace lathe::emit
