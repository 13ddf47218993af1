// Kernels whose vectors run along an outer axis: maps and register tiles.
#include <algorithm>

#include <llvm/IR/Instructions.h>

#include <lathe/codegen/llvm/epilogue.h>
#include <lathe/codegen/llvm/lines.h>
#include <lathe/codegen/slicing.h>
#include <lathe/graph/error.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// How early to ask for rows that lie anywhere.
constexpr std::int64_t rows_ahead = 4;

class PanelEmitter {
 public:
  PanelEmitter(KernelEmitter& kernel, const Schedule& schedule)
      : k_(kernel), schedule_(schedule), epilogue_(kernel, schedule) {
    if (schedule.lines) lines_.emplace(kernel, schedule, contraction_of(*schedule.lines));
  }

  void emit() {
    if (schedule_.form == Schedule::Form::map) {
      for_each_run(
          k_, schedule_, [](llvm::Value*) {},
          [&](llvm::Value* panel, llvm::Value* first_row, llvm::Value* end_row) {
            map(first_column(panel), first_row, end_row);
          });
      return;
    }
    if (!schedule_.turned.empty()) k_.turn_terms(schedule_.turned.front(), schedule_.panel);
    // A copy serves all of the batch if the operand is the same throughout.
    const bool packs = !schedule_.packed.empty() && schedule_.packed_slice == 0;
    const bool pack_once = packs && !k_.accesses().varies(schedule_.packed.front(), schedule_.batch);
    for_each_run(
        k_, schedule_,
        [&](llvm::Value* panel) {
          if (pack_once) pack(first_column(panel));
        },
        [&](llvm::Value* panel, llvm::Value* first_row, llvm::Value* end_row) {
          if (packs && !pack_once) pack(first_column(panel));
          if (schedule_.slice > 0) {
            slices(panel, first_row, end_row);
          } else {
            rows(panel, first_row, end_row);
          }
        });
    epilogue_.finish();
  }

 private:
  using Terms = KernelEmitter::Terms;

  llvm::Value* first_column(llvm::Value* panel) { return k_.b.CreateNSWMul(panel, k_.number(schedule_.panel)); }

  /// The length of the panel that begins at `begin`; a constant where all panels are alike.
  llvm::Value* panel_length(llvm::Value* begin) {
    const auto columns = k_.pool().axis(*schedule_.column).extent.as_constant();
    if (columns && *columns <= schedule_.panel) return k_.number(*columns);
    if (columns && *columns % schedule_.panel == 0) return k_.number(schedule_.panel);
    return k_.smaller(k_.b.CreateNSWSub(k_.extent(*schedule_.column), begin), k_.number(schedule_.panel));
  }

  void map(llvm::Value* begin, llvm::Value* first_row, llvm::Value* end_row) {
    if (schedule_.turned.empty()) {
      map_rows(begin, first_row, end_row);
      return;
    }
    k_.loop(first_row, end_row, schedule_.rows(), [&](llvm::Value* row) {
      llvm::Value* count = k_.smaller(k_.number(schedule_.rows()), k_.b.CreateNSWSub(end_row, row));
      for (const ExprId load : schedule_.turned) {
        k_.turn(load, {*schedule_.row, row, count}, {*schedule_.column, begin, panel_length(begin)}, schedule_.width,
                schedule_.panel, schedule_.width);
      }
      map_rows(begin, row, k_.b.CreateNSWAdd(row, count));
    });
  }

  void map_rows(llvm::Value* begin, llvm::Value* first_row, llvm::Value* end_row) {
    std::vector<ExprId> scattered;
    if (schedule_.row) {
      scattered = scattered_loads(k_.accesses(), values_of(schedule_.stages), *schedule_.row, *schedule_.column);
    }
    llvm::Value* last_row = k_.b.CreateNSWSub(end_row, k_.number(1));
    k_.loop(first_row, end_row, 1, [&](llvm::Value* row) {
      for (const ExprId access : scattered) {
        k_.within(k_.space(), [&] {
          k_.bind(*schedule_.row, k_.smaller(k_.b.CreateNSWAdd(row, k_.number(rows_ahead)), last_row));
          k_.bind(*schedule_.column, begin);
          k_.prefetch(access, panel_length(begin));
        });
      }
      if (schedule_.row) k_.bind(*schedule_.row, row);
      check_row();
      const int vectors = k_.vectors_in_step(schedule_.stages, *schedule_.column, schedule_.width);
      k_.cover(*schedule_.column, begin, panel_length(begin), schedule_.width, vectors, [&] {
        k_.prefetch_ahead(values_of(schedule_.stages));
        k_.evaluate(schedule_.stages);
      });
    });
  }

  /// Checks that are the same for a whole row are made before its first vector, if it has one.
  void check_row() {
    const auto columns = k_.pool().axis(*schedule_.column).extent.as_constant();
    if (!columns || *columns == 0) return;
    k_.test_rows(values_of(schedule_.stages), *schedule_.column);
  }

  /// The contraction that `operand` is part of.
  const Reduce& contraction_of(ExprId operand) {
    for (const Stage& stage : schedule_.stages) {
      const Reduce* reduce = reduction(k_.pool(), stage);
      if (reduce && (reduce->a == operand || reduce->b == operand)) return *reduce;
    }
    ensure(false, "a schedule copies what no contraction reads");
    return *reduction(k_.pool(), schedule_.stages.front());
  }

  void pack(llvm::Value* begin, const std::optional<Terms>& terms = std::nullopt) {
    const ExprId operand = schedule_.packed.front();
    const Reduce reduce = contraction_of(operand);
    k_.pack(reduce, operand, {*schedule_.column, begin, panel_length(begin)}, schedule_.panel, schedule_.width, terms);
  }

  /// One slice of the sum for all rows, and then the next: what it reads stays in the cache.
  void slices(llvm::Value* panel, llvm::Value* first_row, llvm::Value* end_row) {
    const std::int64_t most_rows = kept_rows(schedule_, k_.pool());
    const ExprId sum = schedule_.stages.front().yields.front().value;
    llvm::Type* type = k_.module.memory_type(k_.pool().dtype(sum));
    const std::int64_t elements = most_rows * schedule_.panel * sharing_points(schedule_, k_.pool());
    part_.type = type;
    part_.chains = k_.stack_array(type, static_cast<std::uint64_t>(elements), "chains");
    part_.totals = k_.stack_array(type, static_cast<std::uint64_t>(elements), "totals");
    const AxisId first = std::get<Reduce>(k_.pool().node(sum)).axes.front();
    // At least one slice: an empty sum is stored, too.
    llvm::Value* extent = part_.extent = k_.extent(first);
    llvm::Value* all = part_.all = k_.b.CreateBinaryIntrinsic(llvm::Intrinsic::smax, extent, k_.number(1));
    if (schedule_.packed_slice == 0) {
      terms(panel, {first_row, end_row, k_.number(0), all}, {end_row, end_row, k_.number(0)});
      return;
    }
    k_.advance(first_row, end_row, [&](llvm::Value* row) {
      llvm::Value* last_row = k_.smaller(k_.b.CreateNSWAdd(row, k_.number(most_rows)), end_row);
      part_.first_row = row;
      k_.loop(k_.number(0), all, schedule_.packed_slice, [&](llvm::Value* from) {
        llvm::Value* next = k_.b.CreateNSWAdd(from, k_.number(schedule_.packed_slice));
        llvm::Value* copied = k_.b.CreateNSWSub(k_.smaller(next, extent), from);
        pack(first_column(panel), Terms{from, copied, schedule_.packed_slice});
        llvm::Value* goes_on = k_.b.CreateICmpSLT(next, all);
        const Next after{k_.b.CreateSelect(goes_on, row, last_row), k_.b.CreateSelect(goes_on, last_row, end_row),
                         k_.b.CreateSelect(goes_on, next, k_.number(0))};
        terms(panel, {row, last_row, from, k_.smaller(next, all)}, after);
      });
      return last_row;
    });
  }

  /// Rows of tiles, and terms of their sums.
  struct Block {
    llvm::Value* first_row;
    llvm::Value* end_row;
    llvm::Value* begin;
    llvm::Value* end;
  };
  /// Where the work goes on after a block.
  struct Next {
    llvm::Value* row;
    llvm::Value* end_row;
    llvm::Value* begin;
  };

  /// The terms of a block in slices, for some rows and then for the next.
  void terms(llvm::Value* panel, const Block& block, const Next& after) {
    const std::int64_t most_rows = sliced_rows(schedule_);
    const bool all_terms = schedule_.packed_slice == 0;
    const auto all_rows = k_.pool().axis(*schedule_.row).extent.as_constant();
    const bool exact = schedule_.lines && all_rows && *all_rows % most_rows == 0;  // chunks are multiples of it
    llvm::Value* count = k_.number(most_rows);
    k_.advance(block.first_row, block.end_row, [&](llvm::Value* row) {
      if (!exact) count = k_.smaller(k_.number(most_rows), k_.b.CreateNSWSub(block.end_row, row));
      llvm::Value* last_row = k_.b.CreateNSWAdd(row, count);
      if (all_terms) part_.first_row = row;
      k_.loop(block.begin, block.end, schedule_.slice, [&](llvm::Value* from) {
        llvm::Value* next = k_.b.CreateNSWAdd(from, k_.number(schedule_.slice));
        part_.begin = from;
        part_.end = k_.smaller(next, part_.extent);
        part_.is_last = k_.b.CreateICmpSGE(next, part_.all);
        if (!lines_) {
          rows(panel, row, last_row);
          return;
        }
        const auto either = [&](llvm::Value* condition, const Next& then, const Next& otherwise) {
          return Next{k_.b.CreateSelect(condition, then.row, otherwise.row),
                      k_.b.CreateSelect(condition, then.end_row, otherwise.end_row),
                      k_.b.CreateSelect(condition, then.begin, otherwise.begin)};
        };
        Next following{last_row, block.end_row, block.begin};
        if (!all_terms) following = either(k_.b.CreateICmpSLT(last_row, block.end_row), following, after);
        following = either(k_.b.CreateICmpSLT(next, block.end), {row, block.end_row, next}, following);
        llvm::Value* following_end =
            k_.smaller(k_.b.CreateNSWAdd(following.begin, k_.number(schedule_.slice)), part_.extent);
        lines_->use({row, count, from, part_.end}, {following.row, k_.b.CreateNSWSub(following.end_row, following.row),
                                                    following.begin, following_end});
        lines(panel, row, last_row);
      });
      return last_row;
    });
  }

  /// All of a panel for a tile of rows that are made, and then for the next: so what lies in panels is read and written
  /// in the order of memory.
  void lines(llvm::Value* panel, llvm::Value* first_row, llvm::Value* end_row) {
    each_panel(panel, [&](llvm::Value* begin, llvm::Value* length, bool single) {
      blocks(first_row, end_row, [&](const Tile& shape) {
        Space space = k_.space();
        space.row = schedule_.row;
        space.rows = shape.rows;
        k_.within(space, [&] {
          k_.cover(*schedule_.column, begin, length, schedule_.width, single ? 1 : shape.vectors, [&] { tile(); });
        });
      });
    });
  }

  /// All columns of a block of rows before the next block.
  void rows(llvm::Value* panel, llvm::Value* first_row, llvm::Value* end_row) {
    if (schedule_.block && schedule_.row) prefetch_block(first_row, end_row);
    blocks(first_row, end_row, [&](const Tile& shape) {
      Space space = k_.space();
      space.row = schedule_.row;
      space.rows = shape.rows;
      k_.within(space, [&] {
        if (schedule_.block) k_.open_block(contraction_of(*schedule_.block), *schedule_.block, *schedule_.column);
        each_panel(panel, [&](llvm::Value* begin, llvm::Value* length, bool single) {
          k_.cover(*schedule_.column, begin, length, schedule_.width, single ? 1 : shape.vectors, [&] {
            llvm::Value* is_first = k_.b.CreateICmpEQ(k_.bound(*schedule_.column), begin);
            k_.set_block_is_new(k_.b.CreateAnd(is_first, k_.b.CreateICmpEQ(point_, k_.number(0))));
            tile();
          });
        });
      });
    });
  }

  /// Asks the cache for what the first block is made of, where that lies wherever an index says: each block in the
  /// making asks for the next one.
  void prefetch_block(llvm::Value* first_row, llvm::Value* end_row) {
    const Reduce reduce = contraction_of(*schedule_.block);
    if (reduce.axes.size() > 1) return;
    const AxisId axis = reduce.axes.front();
    const std::vector<ExprId> scattered = scattered_loads(k_.accesses(), {&*schedule_.block, 1}, *schedule_.row, axis);
    if (scattered.empty()) return;
    llvm::Value* last_row = k_.b.CreateNSWSub(end_row, k_.number(1));
    k_.loop(k_.number(0), k_.number(schedule_.rows()), 1, [&](llvm::Value* offset) {
      k_.bind(*schedule_.row, k_.smaller(k_.b.CreateNSWAdd(first_row, offset), last_row));
      k_.bind(axis, k_.number(0));
      for (const ExprId load : scattered) k_.prefetch(load, k_.extent(axis));
    });
  }

  /// Runs `body` over the blocks of rows, with the row bound.
  void blocks(llvm::Value* first_row, llvm::Value* end_row, llvm::function_ref<void(const Tile& shape)> body) {
    if (!schedule_.row) {
      body(schedule_.tiles.front());
      return;
    }
    llvm::Value* begin = first_row;
    for (const Tile& shape : schedule_.tiles) {
      llvm::Value* end = end_row;
      if (schedule_.tiles.size() > 1) {
        llvm::Value* step = k_.number(shape.rows);
        end =
            k_.b.CreateNSWAdd(begin, k_.b.CreateNSWMul(k_.b.CreateSDiv(k_.b.CreateNSWSub(end_row, begin), step), step));
      }
      k_.loop(begin, end, shape.rows, [&](llvm::Value* row) {
        k_.bind(*schedule_.row, row);
        body(shape);
      });
      begin = end;
    }
  }

  using PanelBody = llvm::function_ref<void(llvm::Value* begin, llvm::Value* length, bool single)>;

  /// Runs `body` over the panels that the item covers: number `panel` at the bound point of the batch, and all others
  /// that share its rows if this thread is alone.
  void each_panel(llvm::Value* panel, PanelBody body) { each_point(schedule_.shared, k_.number(0), panel, body); }

  void each_point(std::span<const AxisId> shared, llvm::Value* point, llvm::Value* panel, PanelBody body) {
    const auto next = [&](llvm::Value* first, llvm::Value* extent, llvm::function_ref<void(llvm::Value*)> make) {
      llvm::Value* end = k_.b.CreateSelect(k_.alone(), extent, k_.b.CreateNSWAdd(first, k_.number(1)));
      k_.loop(first, end, 1, [&](llvm::Value* index) {
        point_ = k_.b.CreateNSWAdd(k_.b.CreateNSWMul(point, extent), k_.b.CreateNSWSub(index, first));
        make(index);
      });
    };
    if (!shared.empty()) {
      const AxisId axis = shared.front();
      llvm::Value* first = k_.bound(axis);
      next(first, k_.extent(axis), [&](llvm::Value* index) {
        k_.bind(axis, index);
        each_point(shared.subspan(1), point_, panel, body);
      });
      k_.bind(axis, first);
    } else if (schedule_.shares_columns) {
      llvm::Value* panels = k_.ceil_div(k_.extent(*schedule_.column), schedule_.panel);
      next(panel, panels, [&](llvm::Value* index) { one_panel(first_column(index), body); });
    } else {
      point_ = point;
      one_panel(first_column(panel), body);
    }
  }

  /// Full panels have a constant length; so has the one at the right edge, if it is known that there is one. Otherwise
  /// that goes vector by vector, for less code.
  void one_panel(llvm::Value* begin, PanelBody body) {
    first_column_ = begin;
    llvm::Value* length = panel_length(begin);
    k_.branch(
        k_.b.CreateICmpEQ(length, k_.number(schedule_.panel)), [&] { body(begin, k_.number(schedule_.panel), false); },
        [&] {
          const auto columns = k_.pool().axis(*schedule_.column).extent.as_constant();
          body(begin, columns ? k_.number(*columns % schedule_.panel) : length, !columns);
        });
  }

  /// What one slice adds to a tile; with the last one the tile is done.
  void tile_slice() {
    const std::span<const Stage> stages = schedule_.stages;
    const Space& space = k_.space();
    llvm::Value* row = k_.b.CreateNSWSub(k_.bound(*schedule_.row), part_.first_row);
    row = k_.b.CreateNSWAdd(k_.b.CreateNSWMul(point_, k_.number(kept_rows(schedule_, k_.pool()))), row);
    llvm::Value* column = k_.b.CreateNSWSub(k_.bound(*schedule_.column), first_column_);
    llvm::Value* first = k_.b.CreateNSWAdd(k_.b.CreateNSWMul(row, k_.number(schedule_.panel)), column);
    const auto place = [&](llvm::AllocaInst* memory) {
      return [this, memory, first, vectors = space.vectors](int point) {
        const std::int64_t offset = point / vectors * schedule_.panel + std::int64_t{point % vectors} * schedule_.width;
        return k_.b.CreateInBoundsGEP(part_.type, memory, k_.b.CreateNSWAdd(first, k_.number(offset)));
      };
    };
    const auto chain = place(part_.chains);
    const auto total = place(part_.totals);
    const Slice slice{part_.begin, part_.end, part_.is_last, chain, total};
    const Carried sums = k_.reduced(stages.front(), &slice);
    k_.branch(
        part_.is_last,
        [&] {
          k_.deliver(stages.front(), sums);
          if (stages.size() > 1) epilogue_.evaluate(stages.first(1), stages.subspan(1));
        },
        [] {});
  }

  void tile() {
    if (schedule_.slice > 0) {
      tile_slice();
      return;
    }
    const std::span<const Stage> stages = schedule_.stages;
    std::size_t first = 0;
    while (first < stages.size()) {
      if (reduction(k_.pool(), stages[first])) {
        k_.reduce(stages[first++]);
        continue;
      }
      std::size_t end = first;
      while (end < stages.size() && !reduction(k_.pool(), stages[end])) ++end;
      epilogue_.evaluate(stages.first(first), stages.subspan(first, end - first));
      first = end;
    }
  }

  /// Of a sum in slices: the one at hand, and where tiles keep theirs.
  struct Part {
    llvm::Value* begin;
    llvm::Value* end;
    llvm::Value* is_last;
    llvm::Value* first_row;
    llvm::Type* type;
    llvm::AllocaInst* chains;
    llvm::AllocaInst* totals;
    llvm::Value* extent;  // of the whole sum
    llvm::Value* all;     // the same, but at least 1
  };

  KernelEmitter& k_;
  const Schedule& schedule_;
  Epilogue epilogue_;
  std::optional<LinesAhead> lines_;
  Part part_{};
  llvm::Value* first_column_ = nullptr;  // of the panel at hand
  llvm::Value* point_ = nullptr;         // its number among those that share rows
};

}  // namespace

void emit_panels(KernelEmitter& kernel, const Schedule& schedule) {
  PanelEmitter(kernel, schedule).emit();
}

}  // namespace lathe::emit
