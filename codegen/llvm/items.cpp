// The items that a kernel's work is cut into.
#include <algorithm>

#include <lathe/codegen/llvm/kernel.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

struct Blocks {
  llvm::Value* rows;    // blocks of rows
  llvm::Value* panels;  // of columns
};

/// `alone`: whether one thread does all; then one panel stands for all that share a block of rows.
Blocks count_blocks(FunctionEmitter& f, const Schedule& schedule, const Pool& pool, llvm::Value* alone) {
  Blocks out{f.number(1), f.number(1)};
  if (schedule.row) out.rows = f.ceil_div(f.dim(pool.axis(*schedule.row).extent), schedule.rows());
  if (schedule.column) out.panels = f.ceil_div(f.dim(pool.axis(*schedule.column).extent), schedule.panel);
  if (schedule.shares_columns) out.panels = f.b.CreateSelect(alone, f.number(1), out.panels);
  return out;
}

/// The points of a batch axis that are items of their own.
llvm::Value* count_points(FunctionEmitter& f, const Schedule& schedule, const Pool& pool, AxisId axis,
                          llvm::Value* alone) {
  llvm::Value* extent = f.dim(pool.axis(axis).extent);
  const auto& shared = schedule.shared;
  if (std::find(shared.begin(), shared.end(), axis) == shared.end()) return extent;
  return f.b.CreateSelect(alone, f.number(1), extent);
}

bool is_one(llvm::Value* value) {
  const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(value);
  return constant && constant->isOne();
}

}  // namespace

llvm::Value* item_count(FunctionEmitter& f, const Schedule& schedule, const Pool& pool, llvm::Value* alone) {
  const Blocks blocks = count_blocks(f, schedule, pool, alone);
  llvm::Value* items = f.b.CreateNSWMul(blocks.panels, blocks.rows);
  for (const AxisId axis : schedule.batch) {
    items = f.b.CreateNSWMul(items, count_points(f, schedule, pool, axis, alone));
  }
  return items;
}

ItemsAround items_around(FunctionEmitter& f, const Schedule& schedule, const PointItems& items, const Pool& pool,
                         llvm::Value* alone) {
  const Blocks blocks = count_blocks(f, schedule, pool, alone);
  const auto product = [&](llvm::Value* first, const std::vector<AxisId>& axes) {
    for (const AxisId axis : axes) first = f.b.CreateNSWMul(first, count_points(f, schedule, pool, axis, alone));
    return first;
  };
  return {product(items.panels_before ? blocks.panels : f.number(1), items.before),
          product(items.rows_after ? blocks.rows : f.number(1), items.after)};
}

// Items count panels slowest and blocks of rows fastest, so that a thread with neighbouring items keeps its columns.
void for_each_run(KernelEmitter& k, const Schedule& schedule, llvm::function_ref<void(llvm::Value*)> enter,
                  llvm::function_ref<void(llvm::Value*, llvm::Value*, llvm::Value*)> body) {
  const bool shares = schedule.shares_columns || !schedule.shared.empty();
  llvm::Value* alone = shares ? k.alone() : nullptr;
  const Blocks blocks = count_blocks(k, schedule, k.pool(), alone);
  const auto points = [&](AxisId axis) { return count_points(k, schedule, k.pool(), axis, alone); };
  llvm::Value* runs = k.number(1);  // a panel
  for (const AxisId axis : schedule.batch) runs = k.b.CreateNSWMul(runs, points(axis));
  llvm::Value* a_panel = k.b.CreateNSWMul(runs, blocks.rows);

  // `count` blocks of rows from `block`, for point `number` of the batch.
  const auto run = [&](llvm::Value* panel, llvm::Value* number, llvm::Value* block, llvm::Value* block_count) {
    for (auto axis = schedule.batch.rbegin(); axis != schedule.batch.rend(); ++axis) {
      llvm::Value* count = points(*axis);
      k.bind(*axis, k.b.CreateURem(number, count));
      number = k.b.CreateUDiv(number, count);
    }
    llvm::Value* rows = k.number(schedule.rows());
    llvm::Value* first_row = k.b.CreateNSWMul(block, rows);
    llvm::Value* end_row = k.b.CreateNSWMul(k.b.CreateNSWAdd(block, block_count), rows);
    if (schedule.row) {
      const auto extent = k.pool().axis(*schedule.row).extent.as_constant();
      const bool exact = extent && *extent % schedule.rows() == 0;
      if (!exact) end_row = k.smaller(end_row, k.extent(*schedule.row));
    }
    body(panel, first_row, end_row);
  };
  // Items [begin, end) of one panel, counted from its first.
  const auto within_panel = [&](llvm::Value* panel, llvm::Value* begin, llvm::Value* end) {
    enter(panel);
    if (schedule.batch.empty()) {
      run(panel, k.number(0), begin, k.b.CreateNSWSub(end, begin));
    } else if (is_one(blocks.rows)) {
      k.loop(begin, end, 1, [&](llvm::Value* item) { run(panel, item, k.number(0), k.number(1)); });
    } else {
      k.advance(begin, end, [&](llvm::Value* item) {
        llvm::Value* block = k.b.CreateURem(item, blocks.rows);
        llvm::Value* count = k.smaller(k.b.CreateNSWSub(end, item), k.b.CreateNSWSub(blocks.rows, block));
        run(panel, k.b.CreateUDiv(item, blocks.rows), block, count);
        return k.b.CreateNSWAdd(item, count);
      });
    }
  };
  llvm::Value* begin = k.function->getArg(1);
  llvm::Value* end = k.function->getArg(2);
  if (is_one(blocks.panels)) {
    within_panel(k.number(0), begin, end);
    return;
  }
  k.advance(begin, end, [&](llvm::Value* item) {
    llvm::Value* first = k.b.CreateURem(item, a_panel);
    llvm::Value* count = k.smaller(k.b.CreateNSWSub(end, item), k.b.CreateNSWSub(a_panel, first));
    within_panel(k.b.CreateUDiv(item, a_panel), first, k.b.CreateNSWAdd(first, count));
    return k.b.CreateNSWAdd(item, count);
  });
}

}  // namespace lathe::emit
