#pragma once

#include <llvm/IR/IRBuilder.h>

namespace lathe::emit {

/// Sets the numerics contract's mode of the floating-point unit: subnormals are zeros, nothing traps, rounding to
/// nearest, whatever the host uses. Gives the host's mode, for leave_float_mode().
llvm::Value* enter_float_mode(llvm::IRBuilder<>& b, bool is_x86);
void leave_float_mode(llvm::IRBuilder<>& b, llvm::Value* before, bool is_x86);

}  // namespace lathe::emit
