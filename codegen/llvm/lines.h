#pragma once

#include <lathe/codegen/llvm/kernel.h>

namespace lathe::emit {

/// Rows that are made for tiles (`Schedule::lines`). Where tiles leave registers for it, in two places in turn: what is
/// next is made while tiles sum what is there, so that making it, and fetching what it is made of, costs little.
class LinesAhead {
 public:
  LinesAhead(KernelEmitter& kernel, const Schedule& schedule, const loop::Reduce& reduce);

  /// So many rows from `first_row` on, for terms [begin, end) of the sum.
  struct Part {
    llvm::Value* first_row;
    llvm::Value* rows;
    llvm::Value* begin;
    llvm::Value* end;
  };
  /// Makes what is missing of a part, which the tiles emitted from now on use. `next`: the part that comes after them,
  /// or begins with as many rows; without rows, and beginning with the first term, where none does.
  void use(const Part& part, const Part& next);

 private:
  KernelEmitter::Lines lines(const Part& part, llvm::Value* rows, llvm::Value* place);
  llvm::Value* first_place();
  std::int64_t lines_elements() const;
  std::int64_t place_elements() const;
  std::int64_t second_place() const;
  void prepare(const Part& next, llvm::Value* place);
  void make_some();

  KernelEmitter& k_;
  const Schedule& schedule_;
  loop::AxisId axis_;
  std::int64_t bytes_;  // of an element
  // Null if nothing is made ahead.
  llvm::AllocaInst* made_ = nullptr;   // the first term that is missing of the part to use next
  llvm::AllocaInst* place_ = nullptr;  // the first element of the part to use next
  llvm::AllocaInst* other_place_ = nullptr;
  KernelEmitter::Lines next_{};
  llvm::Value* next_end_ = nullptr;  // of its terms
  llvm::Value* at_once_ = nullptr;   // how many of them to make at a time
};

}  // namespace lathe::emit
