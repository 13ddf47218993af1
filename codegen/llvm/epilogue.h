#pragma once

#include <utility>
#include <vector>

#include <lathe/codegen/llvm/kernel.h>

namespace lathe::emit {

/// What tiles do with the results of their reductions: at once, or where the schedule delays it, while the next tile
/// sums: a row ahead of each part of the sum, and what the row divides after that part. A core sees so far ahead only
/// that a chain of a root, a division and a store would hold up the sum.
class Epilogue {
 public:
  Epilogue(KernelEmitter& kernel, const Schedule& schedule);

  /// Evaluates `stages`, which are no reductions, at the tile at hand; the stages `before` have left their results in
  /// registers.
  void evaluate(std::span<const loop::Stage> before, std::span<const loop::Stage> stages);
  /// After the last tile: evaluates what has been delayed.
  void finish();

 private:
  /// Registers of a tile that are in memory, so that code for one row can find those of any.
  struct Spilled {
    loop::LocalId local;
    llvm::Type* type;
    llvm::AllocaInst* memory;
  };

  /// A stage in two halves: what it divides waits for the second one, for which the first works out `between`. All that
  /// depends on where a row is are the places of these accesses.
  struct Halves {
    loop::Stage first;
    loop::Stage second;
    std::vector<loop::ExprId> between;
    std::vector<loop::ExprId> accesses;
  };
  std::optional<Halves> split(const loop::Stage& stage, std::span<const loop::AxisId> axes);
  std::optional<std::vector<loop::ExprId>> accesses_of(std::vector<loop::ExprId> roots,
                                                       std::span<const loop::ExprId> known,
                                                       std::span<const loop::AxisId> axes);

  void begin_delaying();
  void delay();
  void begin_row(llvm::Value* row);
  void end_row(llvm::Value* row);
  void whole_row(llvm::Value* row);
  void first_half(llvm::Value* row, Carried& between);
  void second_half(llvm::Value* row);
  void find_places(llvm::Value* row);
  llvm::Type* vector_type(loop::ExprId id);
  Spilled make_room(loop::LocalId local, llvm::Type* type, int points);
  void spill(const Spilled& spilled);
  void find_row(std::span<const Spilled> spilled, llvm::Value* row);

  KernelEmitter& k_;
  const Schedule& schedule_;

  // Of a tile whose stages are delayed: whether there is one, the indices it is at, and its results.
  llvm::AllocaInst* is_delayed_ = nullptr;
  std::vector<std::pair<loop::AxisId, llvm::AllocaInst*>> indices_;
  std::vector<Spilled> results_;
  std::vector<llvm::AllocaInst*> places_;  // of the accesses of its halves, for its first row
  Space tile_;                             // all are alike
  std::optional<Halves> halves_;
  Carried between_;  // vectors that the second half of the row at hand needs of the first
};

}  // namespace lathe::emit
