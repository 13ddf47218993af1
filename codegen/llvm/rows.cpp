// Kernels that go row by row: each stage has vectors along an inner axis, along its reduction, or across rows.
#include <algorithm>

#include <lathe/codegen/llvm/kernel.h>
#include <lathe/codegen/nest.h>
#include <lathe/codegen/row_blocks.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

class RowEmitter {
 public:
  RowEmitter(KernelEmitter& kernel, const Schedule& schedule, const MachineModel& machine)
      : k_(kernel), schedule_(schedule), machine_(machine) {}

  void emit() {
    place_locals();
    pack(false);
    if (schedule_.ahead) {
      llvm::Type* type = k_.module.type(k_.pool().dtype(schedule_.ahead->reduction));
      ahead_ = {schedule_.ahead->reduction, k_.stack_array(type, 1, "ahead")};
    }
    const auto run = [&](llvm::Value*, llvm::Value* first_row, llvm::Value* end_row) {
      if (!schedule_.row) {
        block(nullptr, nullptr);
        return;
      }
      pack(true);
      const int rows = schedule_.rows();
      last_row_ = k_.b.CreateNSWSub(end_row, k_.number(1));
      if (schedule_.ahead) {
        k_.when(k_.b.CreateICmpSLT(first_row, end_row), {}, [&] {
          k_.bind(schedule_.ahead->row, first_row);
          k_.reduce_alone(ahead_);
          return Carried{};
        });
      }
      // Single elements, for each of which a row would wait.
      const std::vector<ExprId> scattered =
          scattered_loads(k_.accesses(), values_of(schedule_.stages), *schedule_.row, std::nullopt);
      prefetch(scattered, first_row);
      k_.loop(first_row, end_row, rows, [&](llvm::Value* row) {
        prefetch(scattered, k_.b.CreateNSWAdd(row, k_.number(rows)));
        block(row, k_.smaller(k_.number(rows), k_.b.CreateNSWSub(end_row, row)));
      });
    };
    for_each_run(
        k_, schedule_, [](llvm::Value*) {}, run);
  }

 private:
  /// Asks for what `loads` read in a block of rows from `row` on.
  void prefetch(std::span<const ExprId> loads, llvm::Value* row) {
    if (loads.empty()) return;
    k_.loop(k_.number(0), k_.number(schedule_.rows()), 1, [&](llvm::Value* offset) {
      k_.bind(*schedule_.row, k_.smaller(k_.b.CreateNSWAdd(row, offset), last_row_));
      for (const ExprId load : loads) k_.prefetch(load, k_.number(1));
    });
  }

  bool is_tiled(const Stage& stage) const { return lathe::is_tiled(k_.pool(), schedule_, stage); }

  /// Copies operands that are the same for all rows: those that change within the batch, or those that do not.
  void pack(bool changing) {
    for (const Stage& stage : schedule_.stages) {
      if (!is_tiled(stage)) continue;
      const Reduce& reduce = *reduction(k_.pool(), stage);
      const AxisId column = stage.inner.back();
      for (const ExprId operand : schedule_.packed) {
        if (operand != reduce.a && operand != reduce.b) continue;
        if (k_.accesses().varies(operand, schedule_.batch) != changing) continue;
        const std::int64_t columns = k_.pool().axis(column).extent.constant();
        const int width = width_of(stage);
        k_.pack(reduce, operand, {column, k_.number(0), k_.number(columns)}, (columns + width - 1) / width * width,
                width);
      }
    }
  }

  bool is_across(const Stage& stage) const { return lathe::is_across(k_.pool(), schedule_, stage); }

  /// Stages run in segments: one that takes all rows of the block, or others row by row. What follows from a slow one
  /// is a segment of its own: a core that waits for one row's result then has other rows in sight.
  std::vector<int> segments() const {
    std::vector<int> out = {0};
    for (std::size_t i = 1; i < schedule_.stages.size(); ++i) {
      const Stage& before = schedule_.stages[i - 1];
      const Stage& stage = schedule_.stages[i];
      const bool ends = is_alone(stage) || is_alone(before) || is_slow(before);
      out.push_back(out.back() + (ends ? 1 : 0));
    }
    return out;
  }

  /// Whether the tiles of stage number `i` are followed by the next one.
  bool is_followed(std::size_t i) const {
    return std::find(schedule_.followed.begin(), schedule_.followed.end(), i) != schedule_.followed.end();
  }

  /// Whether a stage takes all rows of a block at once.
  bool is_alone(const Stage& stage) const { return is_tiled(stage) || is_across(stage); }

  /// Whether what follows a stage waits for it long, in a block of several rows: for a reduction that takes one vector
  /// of a row, or for a single number that takes many operations.
  bool is_slow(const Stage& stage) const {
    constexpr int many_operations = 12;
    if (schedule_.rows() == 1) return false;
    if (const Reduce* reduce = reduction(k_.pool(), stage)) {
      const auto length = reduced_length(k_.pool(), *reduce);
      return length && *length <= width_of(stage);
    }
    return stage.inner.empty() && k_.accesses().operations(stage.yields.front().value) > many_operations;
  }

  /// A local lives for the whole block of rows only if it crosses segments.
  void place_locals() {
    const std::vector<int> segment = segments();
    for (std::size_t local = 0; local < schedule_.locals.size(); ++local) {
      const auto id = static_cast<LocalId>(local);
      int first = -1;
      bool crosses = false;
      const auto use = [&](int where) {
        if (first < 0) first = where;
        crosses |= where != first;
      };
      bool tiled = false;
      bool across = false;
      bool followed = false;
      for (std::size_t i = 0; i < schedule_.stages.size(); ++i) {
        std::vector<ExprId> roots;
        for (const Yield& yield : schedule_.stages[i].yields) {
          roots.push_back(yield.value);
          const auto* to = std::get_if<ToLocal>(&yield.destination);
          if (to && to->local == id) {
            use(segment[i]);
            tiled |= is_tiled(schedule_.stages[i]);
            across |= is_across(schedule_.stages[i]);
            followed |= is_followed(i);
          }
        }
        for (const ExprId expr : post_order(k_.pool(), roots)) {
          const auto* read = std::get_if<Local>(&k_.pool().node(expr));
          if (read && read->local == id) use(segment[i]);
        }
      }
      if (followed) continue;
      std::optional<KernelEmitter::Rows> rows;
      if (schedule_.rows() > 1 && (crosses || tiled || across)) rows = {*schedule_.row, schedule_.rows(), across};
      k_.place_local(id, rows);
    }
  }

  void block(llvm::Value* row, llvm::Value* count) {
    const std::vector<int> segment = segments();
    const std::span<const Stage> stages = schedule_.stages;
    for (std::size_t first = 0; first < stages.size();) {
      std::size_t end = first;
      while (end < stages.size() && segment[end] == segment[first]) ++end;
      if (is_tiled(stages[first])) {
        const Stage* map = is_followed(first) ? &stages[end++] : nullptr;
        tiles(stages[first], map, row, count);
      } else if (is_across(stages[first])) {
        across(stages[first], row, count);
      } else {
        singles(stages.subspan(first, end - first), row, count);
      }
      first = end;
    }
  }

  void singles(std::span<const Stage> stages, llvm::Value* row, llvm::Value* count) {
    const auto one = [&](llvm::Value* offset) {
      Space space;
      space.row = schedule_.row;
      k_.within(space, [&] {
        if (schedule_.row) k_.bind(*schedule_.row, k_.b.CreateNSWAdd(row, offset));
        k_.set_scratch_row(offset);
        std::size_t first = 0;
        if (schedule_.ahead) {
          llvm::Value* made = k_.b.CreateLoad(k_.module.type(k_.pool().dtype(ahead_.reduction)), ahead_.result);
          at_points(stages[first++], [&](const Stage& stage) { k_.deliver(stage, made); });
          k_.bind(schedule_.ahead->row, k_.smaller(k_.b.CreateNSWAdd(row, k_.number(1)), last_row_));
        }
        for (std::size_t i = first; i < stages.size(); ++i) {
          if (schedule_.ahead && schedule_.ahead->host == i) k_.join_next_loop(ahead_);
          const bool joined = i + 1 < stages.size() && joins(k_.pool(), stages[i], stages[i + 1]);
          const Stage* row = joined ? &stages[i++] : nullptr;
          single(stages[i], row);
        }
      });
    };
    if (schedule_.rows() == 1) {
      one(k_.number(0));
    } else {
      k_.loop(k_.number(0), count, 1, one);
    }
  }

  /// Turns what a stage loads of the `count` rows from `row` on, where neighbours are in one row.
  void turn(const Stage& stage, llvm::Value* row, llvm::Value* count) {
    const int width = schedule_.across;
    for (const ExprId load : loads_of(k_.pool(), values_of({&stage, 1}))) {
      const auto axis = turned_axis(k_.accesses(), stage, load, *schedule_.row, width);
      if (!axis) continue;
      k_.turn(load, {*axis, k_.number(0), k_.extent(*axis)}, {*schedule_.row, row, count}, width, width, 0);
    }
  }

  /// A stage of few points a row, for the `count` rows from `row` on: each is a lane.
  void across(const Stage& stage, llvm::Value* row, llvm::Value* count) {
    Space space;
    space.column = schedule_.row;
    space.width = schedule_.across;
    space.mask = k_.first_lanes(count, space.width);
    k_.set_scratch_row(k_.number(0));
    std::span<const AxisId> outer = stage.inner;
    const Reduce* reduce = reduction(k_.pool(), stage);
    if (reduce && reduce->op == ReduceOp::contract) {
      const ExprId along = operand_along(k_.accesses(), *reduce, *schedule_.row);
      k_.pack(*reduce, along, {*schedule_.row, row, count}, space.width, space.width);
      if (!outer.empty()) {
        space.row = outer.back();
        space.rows = static_cast<int>(k_.pool().axis(*space.row).extent.constant());
        outer = outer.first(outer.size() - 1);
      }
    } else {
      turn(stage, row, count);
    }
    k_.bind(*schedule_.row, row);
    k_.within(space, [&] {
      if (!reduce) {
        k_.evaluate_across(stage, count);
        return;
      }
      k_.nest(outer, [&] {
        if (space.row) k_.bind(*space.row, k_.number(0));
        k_.reduce(stage);
      });
    });
  }

  int width_of(const Stage& stage) const {
    if (reduction(k_.pool(), stage)) return reduce_lanes(k_.pool().dtype(stage.yields.front().value));
    return vector_width(k_.pool(), values_of({&stage, 1}));
  }

  /// Whether a reduction for several points of a row reads vectors along its own axis rather than across points.
  bool fills_lanes_along(const Stage& stage) const {
    const Reduce* reduce = reduction(k_.pool(), stage);
    if (!reduce || reduce->axes.empty() || stage.inner.empty()) return false;
    const auto length = k_.pool().axis(reduce->axes.back()).extent.as_constant();
    return (!length || *length >= width_of(stage) / 2) &&
           reduces_along_rows(k_.accesses(), {&stage, 1}, stage.inner.back());
  }

  /// One stage; `row` is the one before it, if that runs in the same loop.
  void single(const Stage& stage, const Stage* row) {
    if (fills_lanes_along(stage)) {
      k_.nest(stage.inner, [&] { k_.reduce(stage, row); });
    } else if (reduction(k_.pool(), stage)) {
      at_points(stage, [&](const Stage& each) { k_.reduce(each, row); });
    } else if (stage.inner.size() == 1) {
      k_.evaluate_along(stage, width_of(stage));
    } else {
      at_points(stage, [&](const Stage& each) { k_.evaluate({&each, 1}); });
    }
  }

  /// Runs `point` over the inner axes of a stage.
  void at_points(const Stage& stage, llvm::function_ref<void(const Stage& stage)> point) {
    if (stage.inner.empty()) {
      point(stage);
      return;
    }
    const AxisId last = stage.inner.back();
    k_.nest(std::span(stage.inner).first(stage.inner.size() - 1),
            [&] { k_.vectors(last, k_.number(0), k_.extent(last), width_of(stage), [&] { point(stage); }); });
  }

  using Follow = llvm::function_ref<void()>;

  /// A contraction for the `count` rows from `row` on. `map` is the stage that takes its results from registers, if
  /// there is one.
  void tiles(const Stage& stage, const Stage* map, llvm::Value* row, llvm::Value* count) {
    llvm::Value* begin = k_.number(0);
    llvm::Value* all = count;
    std::vector<Tile> shapes = schedule_.tiles;
    if (schedule_.across > 0) {
      // Such tiles take scratch, which has a whole block of rows: one shape does for all if they fill scratch, too.
      const bool fills_scratch = std::all_of(stage.yields.begin(), stage.yields.end(), [](const Yield& yield) {
        return std::holds_alternative<ToLocal>(yield.destination);
      });
      const auto all_rows = k_.pool().axis(*schedule_.row).extent.as_constant();
      if (fills_scratch || (all_rows && *all_rows % schedule_.across == 0)) {
        all = k_.number(schedule_.across);
      } else {
        shapes.push_back({1, 1});
      }
    }
    for (const Tile& shape : shapes) {
      const int rows = shape.rows;
      llvm::Value* whole =
          k_.b.CreateNSWMul(k_.b.CreateSDiv(k_.b.CreateNSWSub(all, begin), k_.number(rows)), k_.number(rows));
      llvm::Value* end = k_.b.CreateNSWAdd(begin, whole);
      k_.loop(begin, end, rows, [&](llvm::Value* offset) {
        k_.bind(*schedule_.row, k_.b.CreateNSWAdd(row, offset));
        k_.set_scratch_row(offset);
        Space space;
        space.row = schedule_.row;
        space.rows = rows;
        const auto follow = [&] {
          if (map) follow_tile(std::get<ToLocal>(stage.yields.front().destination).local, *map, row, offset, count);
        };
        k_.within(space, [&] {
          k_.nest(std::span(stage.inner).first(stage.inner.size() - 1), [&] { tile(stage, rows, follow); });
        });
      });
      begin = end;
    }
  }

  /// One tile of rows: the last inner axis in groups of vectors, then in single ones.
  void tile(const Stage& stage, int rows, Follow follow) {
    const AxisId column = stage.inner.back();
    const int width = width_of(stage);
    const DType dtype = k_.pool().dtype(stage.yields.front().value);
    const int vectors =
        tile_vectors(rows, k_.pool().axis(column).extent, width, static_cast<int>(size_of(dtype)), machine_);
    k_.cover(column, k_.number(0), k_.extent(column), width, vectors, [&] {
      k_.reduce(stage);
      follow();
    });
  }

  /// Evaluates `map` with what the tile at hand has left in registers, for those of its rows that there are: the tile
  /// is `offset` rows into a block of `count` rows from `row` on.
  void follow_tile(LocalId local, const Stage& map, llvm::Value* row, llvm::Value* offset, llvm::Value* count) {
    const Space tile = k_.space();
    for (int i = 0; i < tile.rows; ++i) {
      llvm::Value* at = k_.b.CreateNSWAdd(offset, k_.number(i));
      k_.when(k_.b.CreateICmpSLT(at, count), {}, [&] {
        k_.within(tile.one_row(), [&] {
          k_.bind(*tile.row, k_.b.CreateNSWAdd(row, at));
          k_.set_scratch_row(at);
          for (int column = 0; column < tile.vectors; ++column) {
            k_.set_register(local, 0, column, k_.get_register(local, i, column));
          }
          k_.evaluate({&map, 1});
        });
        return Carried{};
      });
    }
    k_.bind(*tile.row, k_.b.CreateNSWAdd(row, offset));
    k_.set_scratch_row(offset);
  }

  KernelEmitter& k_;
  const Schedule& schedule_;
  const MachineModel& machine_;
  KernelEmitter::Guest ahead_{};
  llvm::Value* last_row_ = nullptr;  // of the run at hand
};

}  // namespace

void emit_rows(KernelEmitter& kernel, const Schedule& schedule, const MachineModel& machine) {
  RowEmitter(kernel, schedule, machine).emit();
}

}  // namespace lathe::emit
