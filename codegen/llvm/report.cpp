// How kernels report a Check that fails.
#include <cstddef>

#include <lathe/codegen/abi.h>
#include <lathe/codegen/llvm/kernel.h>

namespace lathe::emit {

/// Takes the spin lock, keeps the smaller of (check, index), and lets go. Not a function of its own: around a call that
/// is never made, every register of a hot loop would have to be saved.
void KernelEmitter::report(llvm::Value* check, llvm::Value* index, llvm::Value* detail) {
  const auto block = [&](const char* name) { return llvm::BasicBlock::Create(module.context, name, function); };
  llvm::Value* failure = b.CreateLoad(module.pointer_type(), slot({FrameSlot::Kind::failure}));
  const auto field = [&](std::size_t offset, const char* name) {
    return b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), failure, offset, name);
  };
  llvm::Value* check_field = field(offsetof(abi::Failure, check), "check");
  llvm::Value* index_field = field(offsetof(abi::Failure, index), "index");
  llvm::Value* detail_field = field(offsetof(abi::Failure, detail), "detail");
  llvm::Value* lock = field(offsetof(abi::Failure, lock), "lock");
  llvm::BasicBlock* spin = block("spin");
  llvm::BasicBlock* compare = block("compare");
  llvm::BasicBlock* keep = block("keep");
  llvm::BasicBlock* release = block("release");
  b.CreateBr(spin);
  b.SetInsertPoint(spin);
  llvm::Value* taken =
      b.CreateAtomicRMW(llvm::AtomicRMWInst::Xchg, lock, b.getInt32(1), llvm::Align(4), llvm::AtomicOrdering::Acquire);
  b.CreateCondBr(b.CreateICmpEQ(taken, b.getInt32(0)), compare, spin);
  b.SetInsertPoint(compare);
  llvm::Value* old_check = b.CreateLoad(b.getInt64Ty(), check_field);
  llvm::Value* old_index = b.CreateLoad(b.getInt64Ty(), index_field);
  llvm::Value* same = b.CreateAnd(b.CreateICmpEQ(check, old_check), b.CreateICmpSLT(index, old_index));
  b.CreateCondBr(b.CreateOr(b.CreateICmpSLT(check, old_check), same), keep, release);
  b.SetInsertPoint(keep);
  b.CreateStore(check, check_field);
  b.CreateStore(index, index_field);
  b.CreateStore(detail, detail_field);
  b.CreateBr(release);
  b.SetInsertPoint(release);
  b.CreateAlignedStore(b.getInt32(0), lock, llvm::Align(4))->setAtomic(llvm::AtomicOrdering::Release);
}

}  // namespace lathe::emit
