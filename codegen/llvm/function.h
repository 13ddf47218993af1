#pragma once

#include <map>

#include <llvm/ADT/STLFunctionalExtras.h>
#include <llvm/ADT/SmallVector.h>

#include <lathe/codegen/llvm/module.h>

namespace lathe::emit {

/// Values that a loop or branch hands on.
using Carried = llvm::SmallVector<llvm::Value*, 16>;

/// One function under construction: numbers, loops and branches.
class FunctionEmitter {
 public:
  FunctionEmitter(ModuleEmitter& module, llvm::Function* function);
  virtual ~FunctionEmitter() = default;
  FunctionEmitter(const FunctionEmitter&) = delete;
  FunctionEmitter& operator=(const FunctionEmitter&) = delete;

  llvm::ConstantInt* number(std::int64_t value) { return b.getInt64(static_cast<std::uint64_t>(value)); }
  /// The number that `dim` stands for in this run; computed once, in the function's entry.
  llvm::Value* dim(const Dim& dim);
  llvm::Value* smaller(llvm::Value* x, llvm::Value* y);
  /// x times y. A loop without others inside has products of its index with a constant go along by additions.
  llvm::Value* times(llvm::Value* x, llvm::Value* y);
  /// ceil(x / y) for x >= 0, y > 0.
  llvm::Value* ceil_div(llvm::Value* x, std::int64_t y);

  using LoopBody = llvm::function_ref<Carried(llvm::Value* index, llvm::ArrayRef<llvm::Value*> carried)>;
  /// for (index = begin; index < end; index += step); yields what the last iteration carries.
  Carried loop(llvm::Value* begin, llvm::Value* end, std::int64_t step, llvm::ArrayRef<llvm::Value*> initial,
               LoopBody body);
  void loop(llvm::Value* begin, llvm::Value* end, std::int64_t step, llvm::function_ref<void(llvm::Value* index)> body);
  /// for (index = begin; index < end;) index = body(index).
  void advance(llvm::Value* begin, llvm::Value* end, llvm::function_ref<llvm::Value*(llvm::Value* index)> body);
  Carried when(llvm::Value* condition, llvm::ArrayRef<llvm::Value*> otherwise, llvm::function_ref<Carried()> then);
  void branch(llvm::Value* condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise);

  /// Runs `make` with code going to the end of the function's entry block.
  template <class F>
  auto in_entry(F make) {
    const llvm::IRBuilder<>::InsertPointGuard guard(b);
    b.SetInsertPoint(entry_->getTerminator());
    return make();
  }
  llvm::AllocaInst* stack_array(llvm::Type* type, std::uint64_t count, const char* name);
  void finish_with_return() { b.CreateRetVoid(); }
  /// The same, in the contract's floating-point mode from the first instruction on, whatever thread calls.
  void finish_in_own_mode();

  ModuleEmitter& module;
  llvm::Function* function;
  llvm::IRBuilder<> b;

 protected:
  /// The value of the program's symbol number `index`; code goes to the entry.
  virtual llvm::Value* symbol(std::size_t index) = 0;
  /// Called around code that need not run, or runs many times: what it computes is known only there.
  virtual void open_scope() {}
  virtual void close_scope() {}

 private:
  /// A loop under construction.
  struct Loop {
    llvm::PHINode* index;
    llvm::BasicBlock* before;
    std::int64_t step;
    bool has_inner = false;
    std::map<std::int64_t, llvm::PHINode*> products = {};  // of the index with a constant
  };

  llvm::BasicBlock* new_block(const char* name);
  void mark_loop(llvm::BranchInst* back);
  Loop* loop_over(const llvm::Value* index);
  void finish_products(const Loop& loop);

  std::vector<Loop> loops_;  // around the place at hand, outermost first
  llvm::BasicBlock* entry_;
  std::map<Dim, llvm::Value*> dims_;
  std::map<SymbolId, llvm::Value*> symbols_;
};

}  // namespace lathe::emit
