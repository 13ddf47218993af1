#pragma once

#include <cstdint>

#include <llvm/ADT/STLFunctionalExtras.h>
#include <llvm/IR/IRBuilder.h>

#include <lathe/codegen/library.h>

namespace lathe::emit {

/// A C function under construction: straight code with early returns.
class WrapperBody {
 public:
  explicit WrapperBody(llvm::Function* function);

  llvm::ConstantInt* number(std::int64_t value) { return b.getInt64(static_cast<std::uint64_t>(value)); }
  llvm::Value* at(llvm::Value* base, std::uint64_t offset_bytes);
  llvm::Value* load_pointer(llvm::Value* base, std::uint64_t offset_bytes);
  /// Memory of the function's own, aligned to 64 bytes.
  llvm::AllocaInst* stack(std::uint64_t bytes, const char* name);

  llvm::BasicBlock* block(const char* name);
  void when(llvm::Value* condition, llvm::function_ref<void()> then);
  void return_if(llvm::Value* condition, llvm::Value* result);
  void refuse_if(llvm::Value* condition, LibraryError code);
  void refuse_misaligned(llvm::Value* pointer, std::int64_t alignment);

  llvm::IRBuilder<> b;

 private:
  llvm::Function* function_;
};

}  // namespace lathe::emit
