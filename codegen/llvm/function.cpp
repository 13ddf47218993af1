#include <lathe/codegen/llvm/function.h>

#include <algorithm>

#include <lathe/codegen/llvm/float_mode.h>

namespace lathe::emit {

FunctionEmitter::FunctionEmitter(ModuleEmitter& module_, llvm::Function* function_)
    : module(module_), function(function_), b(module_.context), entry_(new_block("entry")) {
  auto* body = new_block("body");
  b.SetInsertPoint(entry_);
  b.CreateBr(body);
  b.SetInsertPoint(body);
}

llvm::BasicBlock* FunctionEmitter::new_block(const char* name) {
  return llvm::BasicBlock::Create(module.context, name, function);
}

llvm::AllocaInst* FunctionEmitter::stack_array(llvm::Type* type, std::uint64_t count, const char* name) {
  const llvm::IRBuilder<>::InsertPointGuard guard(b);
  b.SetInsertPoint(entry_, entry_->begin());
  llvm::AllocaInst* made = b.CreateAlloca(llvm::ArrayType::get(type, count), nullptr, name);
  made->setAlignment(llvm::Align(64));
  return made;
}

// Blocks of their own keep what computes apart from the changes of mode; the memory of the function stays in the first.
void FunctionEmitter::finish_in_own_mode() {
  const bool is_x86 = module.target.is_x86();
  auto* enter = llvm::BasicBlock::Create(module.context, "enter", function, entry_);
  auto* leave = new_block("leave");
  b.CreateBr(leave);
  b.SetInsertPoint(enter);
  for (llvm::Instruction& instruction : llvm::make_early_inc_range(*entry_)) {
    if (llvm::isa<llvm::AllocaInst>(instruction)) instruction.moveBefore(*enter, enter->end());
  }
  llvm::Value* before = enter_float_mode(b, is_x86);
  b.CreateBr(entry_);
  b.SetInsertPoint(leave);
  leave_float_mode(b, before, is_x86);
  b.CreateRetVoid();
}

llvm::Value* FunctionEmitter::dim(const Dim& dim) {
  if (const auto constant = dim.as_constant()) return number(*constant);
  if (const auto found = dims_.find(dim); found != dims_.end()) return found->second;
  llvm::Value* value = in_entry([&] {
    llvm::Value* sum = number(0);
    for (const Dim::Term& term : dim.terms()) {
      llvm::Value* product = number(term.coefficient);
      for (const SymbolId factor : term.factors) {
        auto [at, fresh] = symbols_.emplace(factor, nullptr);
        if (fresh) at->second = symbol(module.symbol_index(factor));
        product = b.CreateNSWMul(product, at->second);
      }
      sum = b.CreateNSWAdd(sum, product);
    }
    return sum;
  });
  return dims_.emplace(dim, value).first->second;
}

llvm::Value* FunctionEmitter::smaller(llvm::Value* x, llvm::Value* y) {
  return b.CreateSelect(b.CreateICmpSLT(x, y), x, y);
}

llvm::Value* FunctionEmitter::ceil_div(llvm::Value* x, std::int64_t y) {
  return y == 1 ? x : b.CreateUDiv(b.CreateNSWAdd(x, number(y - 1)), number(y));
}

llvm::Value* FunctionEmitter::times(llvm::Value* x, llvm::Value* y) {
  const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(y);
  if (!constant) return b.CreateNSWMul(x, y);
  if (constant->isOne()) return x;
  if (Loop* loop = loop_over(x)) {
    llvm::PHINode*& product = loop->products[constant->getSExtValue()];
    if (!product) {
      product = llvm::PHINode::Create(module.i64_type(), 2, "", loop->index);
      const llvm::IRBuilder<>::InsertPointGuard guard(b);
      b.SetInsertPoint(loop->before->getTerminator());
      product->addIncoming(b.CreateNSWMul(loop->index->getIncomingValue(0), y), loop->before);
    }
    return product;
  }
  // An index to which something is added goes along as well.
  const auto* sum = llvm::dyn_cast<llvm::BinaryOperator>(x);
  const bool is_sum = sum && (sum->getOpcode() == llvm::Instruction::Add || sum->getOpcode() == llvm::Instruction::Sub);
  if (!is_sum || (!loop_over(sum->getOperand(0)) && !loop_over(sum->getOperand(1)))) return b.CreateNSWMul(x, y);
  llvm::Value* first = times(sum->getOperand(0), y);
  llvm::Value* second = times(sum->getOperand(1), y);
  return b.CreateBinOp(sum->getOpcode(), first, second);
}

/// The loop around the place at hand that has this index, if there is one.
FunctionEmitter::Loop* FunctionEmitter::loop_over(const llvm::Value* index) {
  const auto at = std::find_if(loops_.begin(), loops_.end(), [&](const Loop& loop) { return loop.index == index; });
  return at == loops_.end() ? nullptr : &*at;
}

/// At the end of a loop's last block. One that has others inside had rather not hold a register for what takes it one
/// multiplication a turn.
void FunctionEmitter::finish_products(const Loop& loop) {
  for (const auto& [factor, product] : loop.products) {
    if (!loop.has_inner) {
      product->addIncoming(b.CreateNSWAdd(product, number(factor * loop.step)), b.GetInsertBlock());
      continue;
    }
    const llvm::IRBuilder<>::InsertPointGuard guard(b);
    b.SetInsertPoint(loop.index->getParent()->getFirstNonPHI());
    product->replaceAllUsesWith(b.CreateNSWMul(loop.index, number(factor)));
    product->eraseFromParent();
  }
}

void FunctionEmitter::mark_loop(llvm::BranchInst* back) {
  llvm::LLVMContext& context = module.context;
  auto* no_unrolling = llvm::MDNode::get(context, llvm::MDString::get(context, "llvm.loop.unroll.disable"));
  auto* id = llvm::MDNode::getDistinct(context, {nullptr, no_unrolling});
  id->replaceOperandWith(0, id);
  back->setMetadata(llvm::LLVMContext::MD_loop, id);
}

Carried FunctionEmitter::loop(llvm::Value* begin, llvm::Value* end, std::int64_t step,
                              llvm::ArrayRef<llvm::Value*> initial, LoopBody body) {
  const auto* first = llvm::dyn_cast<llvm::ConstantInt>(begin);
  const auto* last = llvm::dyn_cast<llvm::ConstantInt>(end);
  const bool known = first && last;
  if (known && first->getSExtValue() >= last->getSExtValue()) return {initial.begin(), initial.end()};
  if (known && first->getSExtValue() + step >= last->getSExtValue()) {
    open_scope();
    Carried only = body(begin, initial);
    close_scope();
    return only;
  }
  llvm::BasicBlock* before = b.GetInsertBlock();
  llvm::BasicBlock* head = new_block("loop");
  llvm::BasicBlock* exit = new_block("done");
  // A loop that is known to run needs no test ahead of it.
  if (known) {
    b.CreateBr(head);
  } else {
    b.CreateCondBr(b.CreateICmpSLT(begin, end), head, exit);
  }
  b.SetInsertPoint(head);
  llvm::PHINode* index = b.CreatePHI(module.i64_type(), 2);
  index->addIncoming(begin, before);
  Carried inside;
  for (llvm::Value* value : initial) {
    llvm::PHINode* phi = b.CreatePHI(value->getType(), 2);
    phi->addIncoming(value, before);
    inside.push_back(phi);
  }
  for (Loop& outer : loops_) outer.has_inner = true;
  loops_.push_back({.index = index, .before = before, .step = step});
  open_scope();
  const Carried next = body(index, inside);
  close_scope();
  finish_products(loops_.back());
  loops_.pop_back();
  llvm::BasicBlock* latch = b.GetInsertBlock();
  llvm::Value* increased = b.CreateNSWAdd(index, number(step));
  mark_loop(b.CreateCondBr(b.CreateICmpSLT(increased, end), head, exit));
  index->addIncoming(increased, latch);
  for (std::size_t i = 0; i < next.size(); ++i) llvm::cast<llvm::PHINode>(inside[i])->addIncoming(next[i], latch);
  b.SetInsertPoint(exit);
  if (known) return next;
  Carried out;
  for (std::size_t i = 0; i < next.size(); ++i) {
    llvm::PHINode* phi = b.CreatePHI(next[i]->getType(), 2);
    phi->addIncoming(initial[i], before);
    phi->addIncoming(next[i], latch);
    out.push_back(phi);
  }
  return out;
}

void FunctionEmitter::loop(llvm::Value* begin, llvm::Value* end, std::int64_t step,
                           llvm::function_ref<void(llvm::Value*)> body) {
  loop(begin, end, step, {}, [&](llvm::Value* index, llvm::ArrayRef<llvm::Value*>) {
    body(index);
    return Carried{};
  });
}

void FunctionEmitter::advance(llvm::Value* begin, llvm::Value* end,
                              llvm::function_ref<llvm::Value*(llvm::Value*)> body) {
  llvm::BasicBlock* before = b.GetInsertBlock();
  llvm::BasicBlock* head = new_block("advance");
  llvm::BasicBlock* exit = new_block("done");
  b.CreateCondBr(b.CreateICmpSLT(begin, end), head, exit);
  b.SetInsertPoint(head);
  llvm::PHINode* index = b.CreatePHI(module.i64_type(), 2);
  index->addIncoming(begin, before);
  open_scope();
  llvm::Value* next = body(index);
  close_scope();
  index->addIncoming(next, b.GetInsertBlock());
  mark_loop(b.CreateCondBr(b.CreateICmpSLT(next, end), head, exit));
  b.SetInsertPoint(exit);
}

Carried FunctionEmitter::when(llvm::Value* condition, llvm::ArrayRef<llvm::Value*> otherwise,
                              llvm::function_ref<Carried()> then) {
  if (const auto* known = llvm::dyn_cast<llvm::ConstantInt>(condition)) {
    if (known->isZero()) return {otherwise.begin(), otherwise.end()};
    open_scope();
    Carried only = then();
    close_scope();
    return only;
  }
  llvm::BasicBlock* before = b.GetInsertBlock();
  llvm::BasicBlock* inside = new_block("then");
  llvm::BasicBlock* exit = new_block("after");
  b.CreateCondBr(condition, inside, exit);
  b.SetInsertPoint(inside);
  open_scope();
  const Carried values = then();
  close_scope();
  llvm::BasicBlock* end = b.GetInsertBlock();
  b.CreateBr(exit);
  b.SetInsertPoint(exit);
  Carried out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    llvm::PHINode* phi = b.CreatePHI(values[i]->getType(), 2);
    phi->addIncoming(otherwise[i], before);
    phi->addIncoming(values[i], end);
    out.push_back(phi);
  }
  return out;
}

void FunctionEmitter::branch(llvm::Value* condition, llvm::function_ref<void()> then,
                             llvm::function_ref<void()> otherwise) {
  const auto arm = [&](llvm::function_ref<void()> make) {
    open_scope();
    make();
    close_scope();
  };
  if (const auto* known = llvm::dyn_cast<llvm::ConstantInt>(condition)) {
    arm(known->isZero() ? otherwise : then);
    return;
  }
  llvm::BasicBlock* inside = new_block("then");
  llvm::BasicBlock* other = new_block("else");
  llvm::BasicBlock* exit = new_block("after");
  b.CreateCondBr(condition, inside, other);
  b.SetInsertPoint(inside);
  arm(then);
  b.CreateBr(exit);
  b.SetInsertPoint(other);
  arm(otherwise);
  b.CreateBr(exit);
  b.SetInsertPoint(exit);
}

}  // namespace lathe::emit
