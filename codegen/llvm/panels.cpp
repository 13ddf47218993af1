// Kernels whose vectors run along an outer axis: maps and register tiles.
#include <llvm/IR/Instructions.h>

#include <lathe/codegen/llvm/kernel.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// An epilogue of more operations than this over all points of a tile becomes a loop over the tile's rows.
constexpr int unrolled_operations = 400;

struct Blocks {
  llvm::Value* rows;    // blocks of rows
  llvm::Value* panels;  // of columns
};

Blocks count_blocks(FunctionEmitter& f, const Schedule& schedule, const Pool& pool) {
  Blocks out{f.number(1), f.number(1)};
  if (schedule.row) out.rows = f.ceil_div(f.dim(pool.axis(*schedule.row).extent), schedule.row_tiles.front());
  if (schedule.column) out.panels = f.ceil_div(f.dim(pool.axis(*schedule.column).extent), schedule.panel);
  return out;
}

bool is_one(llvm::Value* value) {
  const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(value);
  return constant && constant->isOne();
}

class PanelEmitter {
 public:
  PanelEmitter(KernelEmitter& kernel, const Schedule& schedule) : k_(kernel), schedule_(schedule) {}

  void emit() {
    for_each_run(k_, schedule_, [&](llvm::Value* panel, llvm::Value* first_row, llvm::Value* end_row) {
      llvm::Value* begin = k_.b.CreateNSWMul(panel, k_.number(schedule_.panel));
      if (schedule_.form == Schedule::Form::map) {
        map(begin, first_row, end_row);
      } else {
        columns(begin, first_row, end_row);
      }
    });
  }

 private:
  /// The length of the panel that begins at `begin`; a constant where all panels are alike.
  llvm::Value* panel_length(llvm::Value* begin) {
    const auto columns = k_.pool().axis(*schedule_.column).extent.as_constant();
    if (columns && *columns <= schedule_.panel) return k_.number(*columns);
    if (columns && *columns % schedule_.panel == 0) return k_.number(schedule_.panel);
    return k_.smaller(k_.b.CreateNSWSub(k_.extent(*schedule_.column), begin), k_.number(schedule_.panel));
  }

  void map(llvm::Value* begin, llvm::Value* first_row, llvm::Value* end_row) {
    k_.loop(first_row, end_row, 1, [&](llvm::Value* row) {
      if (schedule_.row) k_.bind(*schedule_.row, row);
      k_.vectors(*schedule_.column, begin, panel_length(begin), schedule_.width,
                 [&] { k_.evaluate(schedule_.stages); });
    });
  }

  /// Full panels take tiles of all vectors; what is left at the right edge goes by single vectors.
  void columns(llvm::Value* begin, llvm::Value* first_row, llvm::Value* end_row) {
    const AxisId column = *schedule_.column;
    llvm::Value* length = panel_length(begin);
    llvm::Value* full = k_.b.CreateICmpEQ(length, k_.number(schedule_.panel));
    const auto tiles = [&](int vectors) {
      Space space = k_.space();
      space.row = schedule_.row;
      space.column = column;
      space.width = schedule_.width;
      space.vectors = vectors;
      rows(space, first_row, end_row);
    };
    k_.branch(
        full,
        [&] {
          k_.bind(column, begin);
          tiles(schedule_.vectors);
        },
        [&] {
          const auto columns = k_.pool().axis(column).extent.as_constant();
          // The edge has a known width unless there is none.
          llvm::Value* rest = columns ? k_.number(*columns % schedule_.panel) : length;
          k_.vectors(column, begin, rest, schedule_.width, [&] { tiles(1); });
        });
  }

  void rows(Space space, llvm::Value* first_row, llvm::Value* end_row) {
    if (!schedule_.row) {
      space.rows = 1;
      k_.within(space, [&] { tile(); });
      return;
    }
    llvm::Value* begin = first_row;
    for (const int rows : schedule_.row_tiles) {
      space.rows = rows;
      llvm::Value* end = end_row;
      if (schedule_.row_tiles.size() > 1) {
        llvm::Value* left = k_.b.CreateNSWSub(end_row, begin);
        end = k_.b.CreateNSWAdd(begin, k_.b.CreateNSWMul(k_.b.CreateSDiv(left, k_.number(rows)), k_.number(rows)));
      }
      k_.loop(begin, end, rows, [&](llvm::Value* row) {
        k_.bind(*schedule_.row, row);
        k_.within(space, [&] { tile(); });
      });
      begin = end;
    }
  }

  void tile() {
    const std::span<const Stage> stages = schedule_.stages;
    std::size_t first = 0;
    while (first < stages.size()) {
      if (reduction(k_.pool(), stages[first])) {
        k_.reduce(stages[first++]);
        continue;
      }
      std::size_t end = first;
      while (end < stages.size() && !reduction(k_.pool(), stages[end])) ++end;
      epilogue(stages.first(first), stages.subspan(first, end - first));
      first = end;
    }
  }

  /// A long epilogue is emitted for one row of the tile and loops over the rows, which find their registers in memory.
  void epilogue(std::span<const Stage> before, std::span<const Stage> stages) {
    int operations = 0;
    for (const Stage& stage : stages) {
      for (const Yield& yield : stage.yields) operations += k_.accesses().facts(yield.value).operations;
    }
    const Space whole = k_.space();
    const bool last = before.size() + stages.size() == schedule_.stages.size();
    if (!last || whole.rows == 1 || operations * whole.points() <= unrolled_operations) {
      k_.evaluate(stages);
      return;
    }
    std::vector<std::pair<LocalId, llvm::AllocaInst*>> spilled;
    for (const Stage& stage : before) {
      for (const Yield& yield : stage.yields) {
        const auto* to = std::get_if<ToLocal>(&yield.destination);
        if (to) spilled.emplace_back(to->local, spill(to->local));
      }
    }
    llvm::Value* first_row = k_.bound(*whole.row);
    k_.loop(k_.number(0), k_.number(whole.rows), 1, [&](llvm::Value* row) {
      Space one = whole;
      one.rows = 1;
      k_.within(one, [&] {
        k_.bind(*whole.row, k_.b.CreateNSWAdd(first_row, row));
        for (const auto& [local, memory] : spilled) reload(local, memory, row);
        k_.evaluate(stages);
      });
    });
    k_.bind(*whole.row, first_row);
  }

  llvm::AllocaInst* spill(LocalId local) {
    const Space& space = k_.space();
    llvm::Type* type = k_.get_register(local, 0, 0)->getType();
    llvm::AllocaInst* memory = k_.stack_array(type, static_cast<std::uint64_t>(space.points()), "spilled");
    for (int row = 0; row < space.rows; ++row) {
      for (int column = 0; column < space.vectors; ++column) {
        llvm::Value* at =
            k_.b.CreateConstInBoundsGEP1_64(type, memory, static_cast<unsigned>(row * space.vectors + column));
        k_.b.CreateStore(k_.get_register(local, row, column), at);
      }
    }
    return memory;
  }

  void reload(LocalId local, llvm::AllocaInst* memory, llvm::Value* row) {
    const int vectors = k_.space().vectors;
    llvm::Type* type = k_.get_register(local, 0, 0)->getType();
    for (int column = 0; column < vectors; ++column) {
      llvm::Value* index = k_.b.CreateNSWAdd(k_.b.CreateNSWMul(row, k_.number(vectors)), k_.number(column));
      k_.set_register(local, 0, column, k_.b.CreateLoad(type, k_.b.CreateInBoundsGEP(type, memory, index)));
    }
  }

  KernelEmitter& k_;
  const Schedule& schedule_;
};

}  // namespace

llvm::Value* item_count(FunctionEmitter& f, const Schedule& schedule, const Pool& pool) {
  const Blocks blocks = count_blocks(f, schedule, pool);
  llvm::Value* items = f.b.CreateNSWMul(blocks.panels, blocks.rows);
  for (const AxisId axis : schedule.batch) items = f.b.CreateNSWMul(items, f.dim(pool.axis(axis).extent));
  return items;
}

// Items count panels slowest and blocks of rows fastest, so that a thread with neighbouring items keeps its columns.
void for_each_run(KernelEmitter& k, const Schedule& schedule,
                  llvm::function_ref<void(llvm::Value*, llvm::Value*, llvm::Value*)> body) {
  const Blocks blocks = count_blocks(k, schedule, k.pool());
  llvm::Value* begin = k.function->getArg(1);
  llvm::Value* end = k.function->getArg(2);
  const auto run = [&](llvm::Value* item, llvm::Value* block, llvm::Value* count) {
    llvm::Value* left = item;
    if (!is_one(blocks.rows)) left = k.b.CreateUDiv(left, blocks.rows);
    for (auto axis = schedule.batch.rbegin(); axis != schedule.batch.rend(); ++axis) {
      k.bind(*axis, k.b.CreateURem(left, k.extent(*axis)));
      left = k.b.CreateUDiv(left, k.extent(*axis));
    }
    llvm::Value* panel = is_one(blocks.panels) ? static_cast<llvm::Value*>(k.number(0)) : left;
    llvm::Value* rows = k.number(schedule.row_tiles.front());
    llvm::Value* first_row = k.b.CreateNSWMul(block, rows);
    llvm::Value* end_row = k.b.CreateNSWMul(k.b.CreateNSWAdd(block, count), rows);
    if (schedule.row) {
      const auto extent = k.pool().axis(*schedule.row).extent.as_constant();
      const bool exact = extent && *extent % schedule.row_tiles.front() == 0;
      if (!exact) end_row = k.smaller(end_row, k.extent(*schedule.row));
    }
    body(panel, first_row, end_row);
  };
  if (is_one(blocks.rows)) {
    k.loop(begin, end, 1, [&](llvm::Value* item) { run(item, k.number(0), k.number(1)); });
    return;
  }
  k.advance(begin, end, [&](llvm::Value* item) {
    llvm::Value* block = k.b.CreateURem(item, blocks.rows);
    llvm::Value* count = k.smaller(k.b.CreateNSWSub(end, item), k.b.CreateNSWSub(blocks.rows, block));
    run(item, block, count);
    return k.b.CreateNSWAdd(item, count);
  });
}

void emit_panels(KernelEmitter& kernel, const Schedule& schedule) {
  PanelEmitter(kernel, schedule).emit();
}

}  // namespace lathe::emit
