#include <lathe/codegen/llvm/float_mode.h>

#include <llvm/IR/IntrinsicsAArch64.h>
#include <llvm/IR/IntrinsicsX86.h>

namespace lathe::emit {

llvm::Value* enter_float_mode(llvm::IRBuilder<>& b, bool is_x86) {
  if (!is_x86) {
    llvm::Value* before = b.CreateIntrinsic(b.getInt64Ty(), llvm::Intrinsic::aarch64_get_fpcr, {});
    b.CreateIntrinsic(llvm::Intrinsic::aarch64_set_fpcr, {}, {b.getInt64(1 << 24)});  // FZ
    return before;
  }
  llvm::BasicBlock& entry = b.GetInsertBlock()->getParent()->getEntryBlock();
  llvm::IRBuilder<> first(&entry, entry.begin());
  llvm::AllocaInst* before = first.CreateAlloca(llvm::ArrayType::get(b.getInt32Ty(), 2), nullptr, "mode");
  b.CreateIntrinsic(llvm::Intrinsic::x86_sse_stmxcsr, {}, {before});
  llvm::Value* own = b.CreateConstInBoundsGEP1_64(b.getInt32Ty(), before, 1);
  b.CreateStore(b.getInt32(0x9fc0), own);  // FTZ, DAZ, and all exceptions masked
  b.CreateIntrinsic(llvm::Intrinsic::x86_sse_ldmxcsr, {}, {own});
  return before;
}

void leave_float_mode(llvm::IRBuilder<>& b, llvm::Value* before, bool is_x86) {
  const llvm::Intrinsic::ID x86 = llvm::Intrinsic::x86_sse_ldmxcsr;
  const llvm::Intrinsic::ID arm = llvm::Intrinsic::aarch64_set_fpcr;
  b.CreateIntrinsic(is_x86 ? x86 : arm, {}, {before});
}

}  // namespace lathe::emit
