#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <lathe/codegen/llvm/module.h>
#include <lathe/codegen/strip_plan.h>

namespace lathe::emit {

/// A kernel that runs in strips with others.
struct StripKernel {
  llvm::Function* chunk;
  std::vector<FrameSlot> frame;
  PointItems items;
};

/// A chunk function of which the items are strips. Its frame has the number of points; the address of 64 bits, all 0,
/// in which the calls of a run tell each other where they have their private links, of which there are no more than
/// whole strips, nor than 64; and then for each kernel what items_around() says, and the kernel's own frame.
struct StripFunction {
  llvm::Function* function;
  std::size_t slots;  // of the frame
};
StripFunction emit_strips(ModuleEmitter& module, const StripRun& run, const std::vector<StripKernel>& kernels,
                          const std::string& name);

}  // namespace lathe::emit
