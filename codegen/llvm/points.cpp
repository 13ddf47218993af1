// Kernel functions: how they cover the index space, and several points of it in step.
#include <lathe/codegen/llvm/kernel.h>

#include <algorithm>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

/// Of a tile's points, as many as the registers that its accumulators leave.
int KernelEmitter::points_in_step(int width) const {
  constexpr int vectors_a_point = 6;
  constexpr int most = 4;
  const MachineModel& machine = module.target.machine;
  const int registers_a_vector = registers_of(width, static_cast<int>(size_of(f32)), machine);
  const int held = registers_.empty() ? 0 : space_.points();
  return std::clamp((machine.vector_registers / registers_a_vector - held) / vectors_a_point, 1, most);
}

int KernelEmitter::vectors_in_step(std::span<const Stage> stages, AxisId column, int width) {
  constexpr int long_enough = 12;
  constexpr int in_sight = 600;  // of a core: what is further ahead waits anyway, and would only be more code
  int operations = 0;
  bool lines = false;  // vectors in step share a test of where to store
  for (const Stage& stage : stages) {
    for (const Yield& yield : stage.yields) {
      operations += accesses_.operations(yield.value);
      lines |= streams(yield, column, width);
    }
  }
  if (operations < long_enough && !lines) return 1;
  return std::clamp(in_sight / std::max(operations, 1), 1, points_in_step(width));
}

/// What is computed in vectors to get a stage's values, operands first.
std::vector<ExprId> KernelEmitter::vector_parts(const Stage& stage) {
  const std::vector<ExprId> roots = values_of({&stage, 1});
  std::vector<ExprId> order = post_order(pool(), roots);
  std::unordered_set<ExprId> needed(roots.begin(), roots.end());
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    const ExprNode& node = pool().node(*id);
    // What an address is made of, what a failing check reports, and what a lane may select is computed where that is
    // needed.
    const bool opaque = std::holds_alternative<Load>(node) || std::holds_alternative<Local>(node) ||
                        std::holds_alternative<Check>(node) || pool().dtype(*id) == i64 || find_packed(*id) ||
                        is_piecewise(*id) || known(key(*id, Form::value));
    if (opaque || !needed.contains(*id)) continue;
    const auto* choice = std::get_if<Select>(&node);
    const std::vector<ExprId> operands =
        choice && choice->lazy ? std::vector{choice->condition, choice->b} : pool().operands(*id);
    needed.insert(operands.begin(), operands.end());
  }
  std::erase_if(order, [&](ExprId id) { return !needed.contains(id) || !varies(id); });
  return order;
}

void KernelEmitter::go_to(int point) {
  row_ = point / space_.vectors;
  column_ = point % space_.vectors;
}

llvm::Value* KernelEmitter::vector_at(int point, ExprId id) {
  go_to(point);
  llvm::Value* made = vector(id);
  row_ = column_ = 0;
  return made;
}

void KernelEmitter::assume_at(int point, ExprId id, llvm::Value* made) {
  go_to(point);
  const auto* local = std::get_if<Local>(&pool().node(id));
  if (local && !rows_.contains(local->local)) {
    set_register(local->local, row_, column_, made);  // which is where value() looks for it
  } else {
    remember(key(id, Form::value), made, false);
  }
  row_ = column_ = 0;
}

/// Takes `values` to the points from number `first` on.
void KernelEmitter::assign_points(const Yield& yield, int first, const Carried& values) {
  const bool lines = space_.column && streams(yield, *space_.column, space_.width);
  Carried pointers;
  for (llvm::Value* value : values) {
    go_to(first++);
    if (lines) {
      pointers.push_back(place(accesses_.target(yield)).pointer);
    } else {
      assign(yield, value);
    }
  }
  if (lines) store_lines(yield, pointers, values);
}

void KernelEmitter::evaluate(std::span<const Stage> stages) {
  const int points = space_.points();
  const int in_step = space_.column ? std::min(points, points_in_step(space_.width)) : 1;
  std::vector<std::vector<ExprId>> parts;  // of each stage
  for (const Stage& stage : stages) parts.push_back(in_step > 1 ? vector_parts(stage) : std::vector<ExprId>());
  for (int first = 0; first < points; first += in_step) {
    const int end = std::min(first + in_step, points);
    for (std::size_t i = 0; i < stages.size(); ++i) {
      for (const ExprId id : parts[i]) {
        for (int point = first; point < end; ++point) value_at(point, id);
      }
      const std::span<const Yield> yields = stages[i].yields;
      std::vector<Carried> values(yields.size());  // of each yield: what it is at each point
      for (int point = first; point < end; ++point) {
        for (std::size_t y = 0; y < yields.size(); ++y) values[y].push_back(value_at(point, yields[y].value));
      }
      for (std::size_t y = 0; y < yields.size(); ++y) assign_points(yields[y], first, values[y]);
      forget_stored();
    }
  }
  row_ = column_ = 0;
}

Carried KernelEmitter::nest(std::span<const AxisId> axes, llvm::ArrayRef<llvm::Value*> initial, NestBody body) {
  if (axes.empty()) return body(initial);
  return loop(number(0), extent(axes.front()), 1, initial,
              [&](llvm::Value* index, llvm::ArrayRef<llvm::Value*> carried) {
                bind(axes.front(), index);
                return nest(axes.subspan(1), carried, body);
              });
}

void KernelEmitter::nest(std::span<const AxisId> axes, llvm::function_ref<void()> body) {
  nest(axes, {}, [&](llvm::ArrayRef<llvm::Value*>) {
    body();
    return Carried{};
  });
}

Carried KernelEmitter::cover(AxisId axis, llvm::Value* begin, llvm::Value* length, int width, int most_vectors,
                             llvm::ArrayRef<llvm::Value*> initial, NestBody body) {
  const int row = row_;
  const auto part = [&](llvm::Value* index, int vectors, llvm::Value* mask, llvm::ArrayRef<llvm::Value*> carried) {
    Space space = space_;
    space.column = axis;
    space.width = width;
    space.vectors = vectors;
    space.mask = mask;
    Carried out;
    within(space, [&] {
      row_ = row;
      bind(axis, index);
      out = body(carried);
    });
    return out;
  };
  // With a length that is known a loop is, wherever it begins.
  const auto whole = [&](llvm::Value* from, llvm::Value* count, int vectors, llvm::ArrayRef<llvm::Value*> carried) {
    return loop(number(0), count, std::int64_t{vectors} * width, carried,
                [&](llvm::Value* index, llvm::ArrayRef<llvm::Value*> values) {
                  return part(b.CreateNSWAdd(from, index), vectors, nullptr, values);
                });
  };
  Carried carried(initial);
  if (most_vectors > 1) {
    llvm::ConstantInt* step = number(std::int64_t{most_vectors} * width);
    llvm::Value* done = b.CreateNSWMul(b.CreateUDiv(length, step), step);
    carried = whole(begin, done, most_vectors, carried);
    llvm::Value* rest = b.CreateNSWSub(length, done);
    if (const auto* known = llvm::dyn_cast<llvm::ConstantInt>(rest); known && known->getSExtValue() >= 2 * width) {
      const auto vectors = static_cast<int>(known->getSExtValue() / width);
      carried = part(b.CreateNSWAdd(begin, done), vectors, nullptr, carried);
      done = b.CreateNSWAdd(done, number(std::int64_t{vectors} * width));
    }
    begin = b.CreateNSWAdd(begin, done);
    length = b.CreateNSWSub(length, done);
  }
  llvm::Value* count = b.CreateAnd(length, number(-std::int64_t{width}));
  llvm::Value* middle = b.CreateNSWAdd(begin, count);
  carried = whole(begin, count, 1, carried);
  llvm::Value* rest = b.CreateSub(length, count);
  return when(b.CreateICmpNE(rest, number(0)), carried,
              [&] { return part(middle, 1, first_lanes(rest, width), carried); });
}

llvm::Value* KernelEmitter::first_lanes(llvm::Value* count, int width) {
  llvm::SmallVector<llvm::Constant*> lanes;
  for (int lane = 0; lane < width; ++lane) lanes.push_back(b.getInt32(static_cast<unsigned>(lane)));
  llvm::Value* all = b.CreateVectorSplat(static_cast<unsigned>(width), b.CreateTrunc(count, b.getInt32Ty()));
  return b.CreateICmpULT(llvm::ConstantVector::get(lanes), all);
}

void KernelEmitter::cover(AxisId axis, llvm::Value* begin, llvm::Value* length, int width, int most_vectors,
                          llvm::function_ref<void()> body) {
  cover(axis, begin, length, width, most_vectors, {}, [&](llvm::ArrayRef<llvm::Value*>) {
    body();
    return Carried{};
  });
}

}  // namespace lathe::emit
