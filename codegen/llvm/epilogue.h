#pragma once

#include <utility>
#include <vector>

#include <lathe/codegen/llvm/kernel.h>

namespace lathe::emit {

/// What tiles do with the results of their reductions: at once, or where the schedule delays it, while the next tile
/// sums.
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

  void begin_delaying();
  void delay();
  void evaluate_delayed(llvm::Value* row);
  llvm::Value* is_delayed();
  Spilled make_room(loop::LocalId local, llvm::Type* type, int points);
  void spill(const Spilled& spilled);
  void evaluate_row(std::span<const Spilled> spilled, std::span<const loop::Stage> stages, llvm::Value* row);

  KernelEmitter& k_;
  const Schedule& schedule_;

  // Of a tile whose stages are delayed: whether there is one, the indices it is at, and its results.
  llvm::AllocaInst* is_delayed_ = nullptr;
  std::vector<std::pair<loop::AxisId, llvm::AllocaInst*>> indices_;
  std::vector<Spilled> results_;
  Space tile_;  // all are alike
};

}  // namespace lathe::emit
