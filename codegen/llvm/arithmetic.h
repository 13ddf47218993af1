#pragma once

#include <llvm/IR/IRBuilder.h>

#include <lathe/codegen/llvm/module.h>

namespace lathe::emit {

/// The primitives of kernel IR on scalars or vectors, whichever the operands are: the semantics of loop/expr.h in LLVM
/// instructions, without a call into any library.
class Arithmetic {
 public:
  Arithmetic(llvm::IRBuilder<>& builder, const ModuleEmitter& module) : b_(builder), module_(module) {}

  llvm::Value* unary(loop::UnaryOp op, DType dtype, llvm::Value* a);
  /// Both operands scalars or both vectors; `dtype` is theirs. `non_negative`: integers known to be at least 0.
  llvm::Value* binary(loop::BinaryOp op, DType dtype, llvm::Value* a, llvm::Value* b, bool non_negative = false);
  /// a * b + c, rounded once where the target can; integers wrap.
  llvm::Value* fma(DType dtype, llvm::Value* a, llvm::Value* b, llvm::Value* c);
  llvm::Value* cast(DType from, DType to, llvm::Value* a);
  llvm::Value* bitcast(DType to, llvm::Value* a);
  /// table[index mod 16], lane by lane. `table` is a vector of 16 numbers.
  llvm::Value* lookup(llvm::Value* table, llvm::Value* index);

  /// What a reduction's lane starts from, and how it takes in a value. Not for contractions.
  llvm::Constant* neutral(loop::ReduceOp op, DType dtype);
  llvm::Value* combine(loop::ReduceOp op, DType dtype, llvm::Value* a, llvm::Value* b);
  /// The same for two values of a maximum or minimum of floats, one after the other, with one look for NaN at both.
  llvm::Value* combine_two(loop::ReduceOp op, DType dtype, llvm::Value* lanes, llvm::Value* first, llvm::Value* second);

 private:
  llvm::Value* join(llvm::ArrayRef<llvm::Value*> parts);
  llvm::Constant* constant(llvm::Type* like, double value);
  llvm::Type* like(DType dtype, llvm::Value* shape);
  llvm::Value* round_to_even(llvm::Value* a);
  llvm::Value* round(loop::UnaryOp op, llvm::Value* a);
  llvm::Value* compare(loop::BinaryOp op, DType dtype, llvm::Value* a, llvm::Value* b);
  llvm::Value* divide(DType dtype, llvm::Value* a, llvm::Value* b);
  llvm::Value* floor_divide(DType dtype, llvm::Value* a, llvm::Value* b);
  llvm::Value* shift(loop::BinaryOp op, llvm::Value* a, llvm::Value* b);
  llvm::Value* choose(loop::BinaryOp op, DType dtype, llvm::Value* a, llvm::Value* b);
  llvm::Value* larger(loop::BinaryOp op, DType dtype, llvm::Value* a, llvm::Value* b);
  llvm::Value* to_integer(DType to, llvm::Value* a);

  llvm::IRBuilder<>& b_;
  const ModuleEmitter& module_;
};

}  // namespace lathe::emit
