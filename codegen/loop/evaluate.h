#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <lathe/codegen/loop/run.h>

/// The interpreter's engine: expressions flattened into instruction lists, evaluated point by point.
namespace lathe::loop {

/// Evaluates expressions of one kernel. Every expression and every axis has a cell, which holds the low bits of its
/// value at the current point; a Reduce computes the expressions below it in a loop of its own.
class Evaluator {
 public:
  using Cell = std::uint32_t;

  /// An axis to run over: the cell that its index is written to, and where it ends.
  struct Loop {
    Cell cell;
    std::int64_t extent;
  };
  /// Indices that are added up to the offset, in elements, of one element of an array.
  struct Place {
    struct Index {
      Cell cell;
      std::int64_t stride;
      std::int64_t extent;
    };
    std::vector<Index> indices;
    std::string array;  // for messages
  };
  struct Instruction {
    void (*run)(Evaluator& evaluator, const Instruction& instruction);
    Cell out;
    Cell in[4];
    int op;          // of the primitive's own enum, or a CheckId
    DType from;      // the operand's dtype
    std::size_t at;  // index into loads_, tables_ or reductions_
  };
  using Instructions = std::vector<Instruction>;

  Evaluator(Run& run, std::string kernel) : run_(run), kernel_(std::move(kernel)) {}

  /// Storage for a local of the kernel, numbered in the order of these calls.
  void add_local(const LocalInfo& local);
  std::uint64_t* local(LocalId id) { return locals_.at(static_cast<std::size_t>(id)).cells.data(); }

  Loop loop(AxisId axis);
  std::vector<Loop> loops(std::span<const AxisId> axes);
  /// The cell that `expr` is computed into by the instructions that mention it.
  Cell cell(ExprId expr);
  Place place(TensorId tensor, std::span<const ExprId> indices);
  Place place(LocalId local, std::span<const ExprId> indices);
  /// What to run at every point of `axes` to bring the cells of `roots` up to date.
  Instructions compile(std::span<const ExprId> roots, std::span<const AxisId> axes);

  std::uint64_t value(Cell cell) const { return cells_[cell]; }
  /// Throws std::logic_error if an index is outside its axis.
  std::int64_t offset(const Place& place) const;
  void execute(const Instructions& instructions) {
    for (const Instruction& instruction : instructions) instruction.run(*this, instruction);
  }

  /// Calls `body` for every point of `loops` in row-major order, with the axes' cells set.
  template <class F>
  void for_each_point(std::span<const Loop> loops, const F& body) {
    if (loops.empty()) {
      body();
      return;
    }
    const Loop& first = loops.front();
    for (std::int64_t i = 0; i < first.extent; ++i) {
      cells_[first.cell] = static_cast<std::uint64_t>(i);
      for_each_point(loops.subspan(1), body);
    }
  }

 private:
  friend struct Primitives;

  struct LoadSource {
    Place place;
    const std::byte* data;       // of a tensor
    const std::uint64_t* local;  // or of a local
  };
  struct LocalRow {
    std::string name;
    Extents extents;
    std::vector<std::uint64_t> cells;
  };
  struct Reduction {
    std::vector<Loop> loops;
    Instructions once;  // what does not depend on the reduced axes; run only if there are points
    Instructions each;
    Cell a, b;
  };

  Place place(const std::string& array, const Extents& extents, std::span<const ExprId> indices);
  Cell new_cell(std::uint64_t value = 0);
  void visit(ExprId expr, std::unordered_map<ExprId, bool>& seen, std::vector<ExprId>& order) const;
  const std::vector<AxisId>& free_axes(ExprId expr);
  Instruction instruction(ExprId expr);
  std::size_t reduction(const Reduce& reduce);

  Run& run_;
  std::string kernel_;
  std::vector<std::uint64_t> cells_;
  std::unordered_map<AxisId, Cell> axis_cells_;
  std::unordered_map<ExprId, Cell> expr_cells_;
  std::unordered_map<ExprId, std::vector<AxisId>> free_axes_;
  std::vector<AxisId> bound_;  // axes of the loops around what is being compiled
  std::vector<LoadSource> loads_;
  std::vector<LocalRow> locals_;
  std::vector<std::array<std::uint32_t, 16>> tables_;
  std::vector<std::unique_ptr<Reduction>> reductions_;
};

}  // namespace lathe::loop
