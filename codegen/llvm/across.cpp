// Kernel functions: few elements of each row, in vectors that run across rows.
#include <lathe/codegen/llvm/kernel.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

/// The results of a last axis of `length` elements, no more than there are lanes: each point has its lanes in
/// registers.
Carried KernelEmitter::few_across(const Reduce& reduce, DType dtype, int rows, int vectors, int length) {
  constexpr int enough_operations = 2;  // for a loop, which is less code
  const std::span<const AxisId> outer = std::span(reduce.axes).first(reduce.axes.size() - 1);
  const AxisId last = reduce.axes.back();
  llvm::Value* neutral = splat(arithmetic_.neutral(reduce.op, dtype));
  const auto next = [&](llvm::Value* lane) { return arithmetic_.combine(reduce.op, dtype, lane, vector(reduce.a)); };
  const auto points = static_cast<std::size_t>(rows * vectors);
  Carried lanes(points * static_cast<std::size_t>(length), neutral);
  if (outer.empty() && points == 1 && accesses_.operations(reduce.a) >= enough_operations) {
    llvm::AllocaInst* memory = stack_array(neutral->getType(), lanes.size(), "lanes");
    const auto at = [&](llvm::Value* index) { return b.CreateInBoundsGEP(neutral->getType(), memory, index); };
    nest(reduce.axes, [&] { b.CreateStore(next(neutral), at(bound(last))); });
    for (int i = 0; i < length; ++i)
      lanes[static_cast<std::size_t>(i)] = b.CreateLoad(neutral->getType(), at(number(i)));
  } else {
    lanes = nest(outer, lanes, [&](llvm::ArrayRef<llvm::Value*> before) {
      Carried out;
      for (int i = 0; i < length; ++i) {
        open_scope();
        bind(last, number(i));
        for (row_ = 0; row_ < rows; ++row_) {
          for (column_ = 0; column_ < vectors; ++column_) out.push_back(next(before[out.size()]));
        }
        row_ = column_ = 0;
        close_scope();
      }
      return out;
    });
  }
  Carried results;
  for (std::size_t point = 0; point < points; ++point) {
    Carried own;
    for (std::size_t lane = point; lane < lanes.size(); lane += points) own.push_back(lanes[lane]);
    results.push_back(fold_vectors(reduce, dtype, own));
  }
  return results;
}

/// Whether what `yield` stores at the indices of `axis` are neighbours in memory, but not what it stores of each row.
bool KernelEmitter::stores_rows(const Yield& yield, AxisId axis) {
  if (!std::holds_alternative<ToTensor>(yield.destination) || !is_float(pool().dtype(yield.value))) return false;
  const ExprId target = accesses_.target(yield);
  return accesses_.step(target, axis) == Dim(1) && accesses_.step(target, *space_.column) != Dim(1);
}

void KernelEmitter::evaluate_across(const Stage& stage, llvm::Value* rows) {
  struct Square {
    Yield yield;
    llvm::Type* type;  // of a line
    llvm::AllocaInst* memory;
  };
  std::vector<Square> squares;
  Stage rest = stage;
  std::erase_if(rest.yields, [&](const Yield& yield) {
    if (stage.inner.size() != 1 || !stores_rows(yield, stage.inner.front())) return false;
    llvm::Type* element = module.type(pool().dtype(yield.value));
    auto* type = llvm::FixedVectorType::get(element, static_cast<unsigned>(space_.width));
    squares.push_back({yield, type, stack_array(type, static_cast<std::uint64_t>(space_.width), "square")});
    return true;
  });
  const auto at = [&](const Square& square, llvm::Value* index) {
    return b.CreateInBoundsGEP(square.type, square.memory, index);
  };
  nest(stage.inner, [&] {
    for (const Square& square : squares) {
      b.CreateStore(vector(square.yield.value), at(square, bound(stage.inner.front())));
    }
    evaluate({&rest, 1});
  });
  if (squares.empty()) return;

  const AxisId row = *space_.column;
  const AxisId axis = stage.inner.front();
  const std::int64_t count = pool().axis(axis).extent.constant();
  Space along;
  along.column = axis;
  along.width = space_.width;
  if (count < space_.width) along.mask = first_lanes(number(count), along.width);
  llvm::Value* first_row = bound(row);
  for (const Square& square : squares) {
    Carried lines(static_cast<std::size_t>(space_.width), llvm::PoisonValue::get(square.type));
    for (std::int64_t i = 0; i < count; ++i) {
      lines[static_cast<std::size_t>(i)] = b.CreateLoad(square.type, at(square, number(i)));
    }
    lines = transpose(lines);
    for (int i = 0; i < space_.width; ++i) {
      b.CreateStore(lines[static_cast<std::size_t>(i)], at(square, number(i)));
    }
    loop(number(0), rows, 1, [&](llvm::Value* index) {
      within(along, [&] {
        bind(row, b.CreateNSWAdd(first_row, index));
        bind(axis, number(0));
        store(accesses_.target(square.yield), b.CreateLoad(square.type, at(square, index)));
      });
    });
  }
  bind(row, first_row);
}

}  // namespace lathe::emit
