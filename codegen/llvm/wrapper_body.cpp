#include <lathe/codegen/llvm/wrapper_body.h>

namespace lathe::emit {

WrapperBody::WrapperBody(llvm::Function* function)
    : b(llvm::BasicBlock::Create(function->getContext(), "entry", function)), function_(function) {}

llvm::Value* WrapperBody::at(llvm::Value* base, std::uint64_t offset_bytes) {
  return b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), base, offset_bytes);
}

llvm::Value* WrapperBody::load_pointer(llvm::Value* base, std::uint64_t offset_bytes) {
  return b.CreateLoad(b.getPtrTy(), at(base, offset_bytes));
}

llvm::AllocaInst* WrapperBody::stack(std::uint64_t bytes, const char* name) {
  const llvm::IRBuilder<>::InsertPointGuard guard(b);
  llvm::BasicBlock& entry = function_->getEntryBlock();
  b.SetInsertPoint(&entry, entry.begin());
  llvm::AllocaInst* made = b.CreateAlloca(llvm::ArrayType::get(b.getInt8Ty(), bytes), nullptr, name);
  made->setAlignment(llvm::Align(64));
  return made;
}

llvm::BasicBlock* WrapperBody::block(const char* name) {
  return llvm::BasicBlock::Create(function_->getContext(), name, function_);
}

void WrapperBody::when(llvm::Value* condition, llvm::function_ref<void()> then) {
  auto* inside = block("then");
  auto* after = block("after");
  b.CreateCondBr(condition, inside, after);
  b.SetInsertPoint(inside);
  then();
  b.CreateBr(after);
  b.SetInsertPoint(after);
}

void WrapperBody::return_if(llvm::Value* condition, llvm::Value* result) {
  auto* leave = block("leave");
  auto* go_on = block("go_on");
  b.CreateCondBr(condition, leave, go_on);
  b.SetInsertPoint(leave);
  b.CreateRet(result);
  b.SetInsertPoint(go_on);
}

void WrapperBody::refuse_if(llvm::Value* condition, LibraryError code) {
  return_if(condition, b.getInt32(static_cast<std::uint32_t>(code)));
}

void WrapperBody::refuse_misaligned(llvm::Value* pointer, std::int64_t alignment) {
  if (alignment == 1) return;
  llvm::Value* low = b.CreateAnd(b.CreatePtrToInt(pointer, b.getInt64Ty()), number(alignment - 1));
  refuse_if(b.CreateICmpNE(low, number(0)), LibraryError::misaligned);
}

}  // namespace lathe::emit
