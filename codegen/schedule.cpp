#include <lathe/codegen/schedule.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/codegen/contraction.h>
#include <lathe/codegen/nest.h>
#include <lathe/codegen/row_blocks.h>
#include <lathe/codegen/slicing.h>
#include <lathe/codegen/streaming.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// A map's panel is long enough to make an item worth its bookkeeping, short enough to share out.
constexpr std::int64_t map_panel = 2048;
/// What is turned of a block of rows stays in the first-level cache, and the places it comes from in the translation
/// buffer.
constexpr std::int64_t turned_panel = 128;
/// In the time that the caches take for a byte; what moves far more than they hold is large in any case.
constexpr std::int64_t operations_a_byte = 1;
/// A fused multiply-add and its two loads.
constexpr int contraction_operations = 3;
/// Loads in a reduction run far more often than what surrounds it. In a contraction they are copied or turned, if need
/// be, and cost no more.
constexpr int reduction_weight = 8;

struct Access {
  ExprId id;
  int weight;
};

/// All accesses to memory with how often they run.
std::vector<Access> accesses_of(Accesses& accesses, std::span<const Stage> stages) {
  std::vector<Access> out;
  for (const Stage& stage : stages) {
    const Reduce* reduce = reduction(accesses.pool(), stage);
    const int weight = reduce && reduce->op != ReduceOp::contract ? reduction_weight : 1;
    for (const Yield& yield : stage.yields) {
      const ExprId roots[] = {yield.value};
      for (const ExprId load : loads_of(accesses.pool(), roots)) out.push_back({load, weight});
      if (std::holds_alternative<ToTensor>(yield.destination)) out.push_back({accesses.target(yield), 1});
    }
  }
  return out;
}

/// The outer axis along which the fewest accesses need gathers; the last of equals.
std::size_t choose_column(Accesses& accesses, std::span<const AxisId> outer, std::span<const Stage> stages) {
  const std::vector<Access> all = accesses_of(accesses, stages);
  std::size_t best = outer.size() - 1;
  int least = std::numeric_limits<int>::max();
  for (std::size_t candidate = outer.size(); candidate-- > 0;) {
    int penalty = 0;
    for (const Access& access : all) {
      const std::optional<Dim> step = accesses.step(access.id, outer[candidate]);
      if (!step || (*step != Dim(0) && *step != Dim(1))) penalty += access.weight;
    }
    if (penalty < least) {
      least = penalty;
      best = candidate;
    }
  }
  return best;
}

/// The axis instead of number `column` of `outer` that fills vectors where that one leaves most lanes idle: what runs
/// along it is the same for all columns, and vectors of it can be loaded, or turned for sums long enough to pay for it.
std::size_t fill_lanes(Accesses& accesses, const Reduce& reduce, std::span<const AxisId> outer, std::size_t column) {
  constexpr std::int64_t terms_a_column = 8;  // or more pay for results that are stored far from each other
  const Pool& pool = accesses.pool();
  const int lanes = reduce_lanes(pool.dtype(reduce.a));
  const auto columns = pool.axis(outer[column]).extent.as_constant();
  const auto length = reduced_length(pool, reduce);
  if (!columns || *columns > lanes / 2 || (length && *length < terms_a_column * *columns)) return column;
  for (std::size_t candidate = outer.size(); candidate-- > 0;) {
    const AxisId axis = outer[candidate];
    const auto count = pool.axis(axis).extent.as_constant();
    if (candidate == column || (count && *count < lanes) ||
        accesses.varies(reduce.a, axis) == accesses.varies(reduce.b, axis))
      continue;
    const ExprId along = operand_along(accesses, reduce, axis);
    if (!std::holds_alternative<Load>(pool.node(along)) || accesses.varies(along, outer[column])) continue;
    if (accesses.contiguous(along, axis) || accesses.step(along, reduce.axes.back()) == Dim(1)) return candidate;
  }
  return column;
}

/// The bytes that an expression reads of tensors; nothing for a contraction, where they stay near.
std::int64_t bytes_read(const Pool& pool, ExprId id) {
  const auto* reduce = std::get_if<Reduce>(&pool.node(id));
  if (reduce && reduce->op == ReduceOp::contract) return 0;
  const ExprId roots[] = {id};
  std::int64_t bytes = 0;
  for (const ExprId load : loads_of(pool, roots)) bytes += static_cast<std::int64_t>(size_of(pool.dtype(load)));
  return bytes;
}

Dim work_of(Accesses& accesses, std::span<const AxisId> outer, std::span<const Stage> stages) {
  const Pool& pool = accesses.pool();
  Dim work = 0;
  for (const Stage& stage : stages) {
    Dim points = 1;
    for (const AxisId axis : stage.inner) points = points * pool.axis(axis).extent;
    for (const Yield& yield : stage.yields) {
      const auto* reduce = std::get_if<Reduce>(&pool.node(yield.value));
      // Whatever a contraction's operands are made of, that is done once for all rows or all columns.
      const bool contracts = reduce && reduce->op == ReduceOp::contract;
      const int operations = contracts ? contraction_operations : accesses.operations(yield.value);
      Dim once = operations + 1 + operations_a_byte * bytes_read(pool, yield.value);
      if (reduce) {
        for (const AxisId axis : reduce->axes) once = once * pool.axis(axis).extent;
      }
      if (std::holds_alternative<ToTensor>(yield.destination)) {
        once = once + Dim(operations_a_byte * static_cast<std::int64_t>(size_of(pool.dtype(yield.value))));
      }
      work = work + once * points;
    }
  }
  for (const AxisId axis : outer) work = work * pool.axis(axis).extent;
  return work;
}

/// Rows of a tile share what is loaded along the columns: puts an axis last that it does not vary along. Returns
/// whether there is one.
bool move_row_last(Accesses& accesses, const Reduce& reduce, AxisId column, std::vector<AxisId>& outer) {
  for (auto axis = outer.rbegin(); axis != outer.rend(); ++axis) {
    const auto both = [&](ExprId operand) {
      return accesses.varies(operand, column) && accesses.varies(operand, *axis);
    };
    if (both(reduce.a) || both(reduce.b)) continue;
    std::rotate(std::next(axis).base(), axis.base(), outer.end());
    return true;
  }
  return false;
}

/// The loads whose neighbours in memory are in different rows, along the last of `outer` that there are such loads
/// along; puts that last.
std::vector<ExprId> choose_turned(Accesses& accesses, AxisId column, std::span<const Stage> stages, int width,
                                  std::vector<AxisId>& outer) {
  const Pool& pool = accesses.pool();
  const std::vector<ExprId> values = values_of(stages);
  for (auto axis = outer.rbegin(); axis != outer.rend(); ++axis) {
    const auto rows = pool.axis(*axis).extent.as_constant();
    if (rows && *rows < width) continue;
    std::vector<ExprId> turned = loads_of(pool, values);
    std::erase_if(turned, [&](ExprId load) {
      const std::optional<Dim> along = accesses.step(load, column);
      const bool apart = along && *along != Dim(0) && *along != Dim(1);
      return !apart || accesses.step(load, *axis) != Dim(1) || pool.dtype(load) == boolean ||
             accesses.facts(load).reads_stored;
    });
    if (turned.empty()) continue;
    std::rotate(std::next(axis).base(), axis.base(), outer.end());
    return turned;
  }
  return {};
}

/// Every chunk copies the panels it needs, or the small operands of a row kernel whole, which blocks of rows must pay
/// for.
constexpr std::int64_t packed_blocks = 16;
constexpr std::int64_t packed_whole_blocks = 4;

}  // namespace

bool reduces_along_rows(Accesses& accesses, std::span<const Stage> stages, AxisId column) {
  int along = 0;
  int across = 0;
  for (const Stage& stage : stages) {
    const Reduce* reduce = reduction(accesses.pool(), stage);
    if (!reduce) continue;
    if (reduce->op == ReduceOp::contract) return false;
    const ExprId roots[] = {reduce->a};
    for (const ExprId load : loads_of(accesses.pool(), roots)) {
      // What is the same for all columns, or all terms, is in nobody's way.
      if (!accesses.varies(load, column) || !accesses.varies(load, reduce->axes)) continue;
      if (accesses.step(load, reduce->axes.back()) == Dim(1)) ++along;
      if (accesses.step(load, column) == Dim(1)) ++across;
    }
  }
  return along > across;
}

bool is_far_apart(const Dim& step, DType dtype) {
  constexpr std::int64_t far_bytes = 2048;
  const auto elements = step.as_constant();
  return elements && std::abs(*elements) * static_cast<std::int64_t>(size_of(dtype)) >= far_bytes;
}

std::vector<ExprId> values_of(std::span<const Stage> stages) {
  std::vector<ExprId> out;
  for (const Stage& stage : stages) {
    for (const Yield& yield : stage.yields) out.push_back(yield.value);
  }
  return out;
}

std::vector<ExprId> loads_of(const Pool& pool, std::span<const ExprId> roots) {
  std::vector<ExprId> loads = post_order(pool, roots);
  std::erase_if(loads, [&](ExprId id) { return !std::holds_alternative<Load>(pool.node(id)); });
  return loads;
}

std::vector<ExprId> scattered_loads(Accesses& accesses, std::span<const ExprId> roots, AxisId row,
                                    std::optional<AxisId> along) {
  std::vector<ExprId> loads = loads_of(accesses.pool(), roots);
  std::erase_if(loads, [&](ExprId load) {
    if (accesses.step(load, row) || accesses.facts(load).reads_stored) return true;
    return along ? accesses.step(load, *along) != Dim(1) : accesses.facts(load).axes != std::vector{row};
  });
  return loads;
}

const Reduce* reduction(const Pool& pool, const Stage& stage) {
  return stage.yields.empty() ? nullptr : std::get_if<Reduce>(&pool.node(stage.yields.front().value));
}

bool is_across(const Pool& pool, const Schedule& schedule, const Stage& stage) {
  return schedule.across > 0 && is_short(pool, stage, schedule.across);
}

bool is_tiled(const Pool& pool, const Schedule& schedule, const Stage& stage) {
  const Reduce* reduce = reduction(pool, stage);
  return schedule.rows() > 1 && !is_across(pool, schedule, stage) && reduce && reduce->op == ReduceOp::contract &&
         !stage.inner.empty();
}

bool is_long(Accesses& accesses, std::span<const Stage> stages, const Tile& tile) {
  constexpr int most_operations = 400;
  int operations = 0;
  for (const ExprId value : values_of(stages)) operations += accesses.operations(value);
  return operations * tile.rows * tile.vectors > most_operations;
}

int vector_width(const Pool& pool, std::span<const ExprId> values) {
  for (const ExprId id : values) {
    if (pool.dtype(id) == f64) return reduce_lanes(f64);
  }
  return reduce_lanes(f32);
}

Schedule schedule(const Program& program, const Kernel& original, const MachineModel& machine) {
  const Kernel kernel = merge_outer_axes(program, split_outer_axes(program, original));
  const Pool& pool = *program.pool;
  Accesses accesses(program, kernel.locals, kernel.stages);
  Schedule out;
  out.stages = kernel.stages;
  out.locals = kernel.locals;
  out.work = work_of(accesses, kernel.outer, kernel.stages);

  const std::vector<ExprId> values = values_of(kernel.stages);
  bool inner = false;
  const Reduce* contraction = nullptr;
  bool reduces = false;
  for (const Stage& stage : kernel.stages) {
    inner |= !stage.inner.empty();
    const Reduce* reduce = reduction(pool, stage);
    reduces |= reduce != nullptr;
    if (reduce && reduce->op == ReduceOp::contract && !contraction) contraction = reduce;
  }
  std::vector<AxisId> outer = kernel.outer;
  const auto take_last = [&]() -> std::optional<AxisId> {
    if (outer.empty()) return std::nullopt;
    const AxisId last = outer.back();
    outer.pop_back();
    return last;
  };
  if (!inner && !outer.empty()) {
    std::size_t column = choose_column(accesses, outer, kernel.stages);
    if (contraction && !contraction->axes.empty()) column = fill_lanes(accesses, *contraction, outer, column);
    if (!reduces || !reduces_along_rows(accesses, kernel.stages, outer[column])) {
      out.form = reduces ? Schedule::Form::tile : Schedule::Form::map;
      out.column = outer[column];
      outer.erase(outer.begin() + static_cast<std::ptrdiff_t>(column));
    }
  }
  bool has_row = true;
  if (contraction && out.column && !move_row_last(accesses, *contraction, *out.column, outer)) {
    // What would have to be prepared for each row anew is so for each point of a batch.
    has_row = !choose_packed(accesses, *contraction, *out.column, std::nullopt, {});
  }
  if (out.form == Schedule::Form::map) {
    out.width = vector_width(pool, values);
    out.turned = choose_turned(accesses, *out.column, kernel.stages, out.width, outer);
  }
  if (has_row) out.row = take_last();
  out.batch = outer;
  const Dim rows = out.row ? pool.axis(*out.row).extent : Dim(1);
  if (out.form == Schedule::Form::rows) {
    if (out.row) out.across = rows_across(accesses, kernel, *out.row, machine);
    int most = rows_at_once(pool, kernel, rows, out.across, machine);
    while (out.across % most != 0) --most;
    const Dim block = out.across > 0 ? Dim(out.across) : rows;
    out.tiles.clear();
    for (const int tile_rows : rows_of_tiles(block, most)) out.tiles.push_back({tile_rows, 1});
    for (const Stage& stage : kernel.stages) {
      if (!is_tiled(pool, out, stage)) continue;
      const Reduce& reduce = *reduction(pool, stage);
      const auto columns = pool.axis(stage.inner.back()).extent.as_constant();
      const DType dtype = pool.dtype(reduce.a);
      const std::int64_t line = columns ? ceil_div(*columns, reduce_lanes(dtype)) * reduce_lanes(dtype) : 0;
      const auto length = reduced_length(pool, reduce).value_or(0);
      const std::int64_t bytes = length * line * static_cast<std::int64_t>(size_of(dtype));
      if (bytes == 0 || bytes > packed_whole_bytes) continue;
      const auto packed = choose_packed(accesses, reduce, stage.inner.back(), out.row, out.batch);
      // It is copied once for all rows of a point of the batch: before there is any other inner axis than its own.
      const auto others = std::span(stage.inner).first(stage.inner.size() - 1);
      if (packed && !accesses.varies(*packed, others)) out.packed.push_back(*packed);
    }
    if (out.across == 0) {
      merge_inner_axes(program, out.locals, out.stages);
      join_sums(*program.pool, out.stages);
    }
    for (std::size_t i = 0; out.across > 0 && i < out.stages.size(); ++i) {
      if (is_tiled(pool, out, out.stages[i]) && join_map(*program.pool, out.stages, i)) out.followed.push_back(i);
    }
    if (out.rows() == 1 && out.row) out.ahead = look_ahead(accesses, out.stages, *out.row);
    out.streamed = choose_streamed(accesses, out.stages, std::nullopt);
    return out;
  }

  const Dim columns = pool.axis(*out.column).extent;
  if (out.form == Schedule::Form::map) {
    // A whole row an item where rows are short; rows of unknown length in blocks.
    const std::int64_t panel = out.turned.empty() ? map_panel : turned_panel;
    const auto count = columns.as_constant();
    out.panel = count && *count <= 2 * panel ? std::max<std::int64_t>(*count, 1) : panel;
    out.streamed = choose_streamed(accesses, out.stages, out.column);
    return out;
  }
  if (contraction) {
    schedule_contraction(accesses, out, *contraction, machine);
    return out;
  }
  // Where rows are long the next one is in another page: a panel takes several lines of each.
  out.width = vector_width(pool, values);
  const std::int64_t needed = ceil_div(std::max<std::int64_t>(columns.as_constant().value_or(map_panel), 1), out.width);
  out.tiles = {{1, static_cast<int>(std::min<std::int64_t>(needed, most_panel_vectors))}};
  out.panel = std::int64_t{out.tiles.front().vectors} * out.width;
  return out;
}

std::int64_t whole_blocks(const Schedule& schedule, const Pool& pool) {
  constexpr std::int64_t most_sliced_blocks = 6;
  const std::int64_t of_lines = schedule.lines ? sliced_rows(schedule) / schedule.rows() : 1;
  const auto rows = schedule.row ? pool.axis(*schedule.row).extent.as_constant() : std::nullopt;
  const std::int64_t blocks = rows ? ceil_div(*rows, schedule.rows()) : 0;
  if (schedule.form == Schedule::Form::rows) return schedule.packed.empty() ? 1 : packed_whole_blocks;
  if (!schedule.packed.empty()) {
    const bool is_long = schedule.packed_slice > 0 && !(rows && *rows <= kept_rows(schedule, pool));
    if (is_long) return kept_rows(schedule, pool) / schedule.rows();  // each slice is copied for all of these
    const std::int64_t together = std::clamp(blocks / 2, packed_blocks, 2 * packed_blocks);
    return together / of_lines * of_lines;
  }
  if (!rows || schedule.slice == 0 || schedule.lines) return of_lines;
  // Every chunk reads all slices: so it has several blocks, and a panel is at least two chunks.
  std::int64_t together = std::clamp<std::int64_t>(blocks / 2, 1, most_sliced_blocks);
  while (blocks % together != 0) --together;
  return together;
}

std::vector<std::int64_t> panel_parts(const Schedule& schedule, const Pool& pool) {
  std::vector<std::int64_t> parts;
  const auto rows = schedule.row ? pool.axis(*schedule.row).extent.as_constant() : std::nullopt;
  if (!rows || schedule.form != Schedule::Form::tile) return parts;
  const std::int64_t blocks = ceil_div(*rows, schedule.rows());
  const std::int64_t together = whole_blocks(schedule, pool);
  // A chunk has at least as many items as make most_chunks of them: so a panel has no more parts than that.
  for (std::int64_t count = most_chunks; count > 0 && blocks > 0; --count) {
    if (blocks % (count * together) == 0) parts.push_back(blocks / count);
  }
  return parts;
}

Sharing share(const Schedule& schedule, const Pool& pool, const Bindings& bindings) {
  Sharing out{.items = 1};
  if (schedule.row) out.items = ceil_div(pool.axis(*schedule.row).extent.evaluate(bindings), schedule.rows());
  if (schedule.column) out.items *= ceil_div(pool.axis(*schedule.column).extent.evaluate(bindings), schedule.panel);
  for (const AxisId axis : schedule.batch) out.items *= pool.axis(axis).extent.evaluate(bindings);
  out.grain = std::max<std::int64_t>(out.items, 1);
  const std::int64_t work = schedule.work.evaluate(bindings);
  if (work < parallel_work) return out;
  out.grain = ceil_div(out.items, std::min(work / chunk_work, most_chunks));
  const std::int64_t blocks = whole_blocks(schedule, pool);
  out.grain = ceil_div(std::max<std::int64_t>(out.grain, 1), blocks) * blocks;
  const std::vector<std::int64_t> parts = panel_parts(schedule, pool);
  const auto part = std::lower_bound(parts.begin(), parts.end(), out.grain);
  if (part != parts.end() && *part <= most_growth * out.grain) out.grain = *part;
  return out;
}

std::string to_string(const Schedule& schedule, const Pool& pool) {
  std::vector<std::string> tiles;
  for (const Tile& tile : schedule.tiles) tiles.push_back(fmt::format("{}x{}", tile.rows, tile.vectors));
  const auto name = [&](const std::optional<AxisId>& axis) { return axis ? pool.axis(*axis).name : std::string("-"); };
  const char* streams = schedule.streamed.empty() ? "" : "; large results go past the caches";
  switch (schedule.form) {
    case Schedule::Form::map:
      return fmt::format("map {}, {}: vectors of {}; panels of {} columns{}{}", name(schedule.row),
                         name(schedule.column), schedule.width, schedule.panel,
                         schedule.turned.empty() ? "" : ", turned in registers", streams);
    case Schedule::Form::tile:
      return fmt::format(
          "tile {}, {}: {} vectors of {}; panels of {} columns{}{}{}{}{}", name(schedule.row), name(schedule.column),
          fmt::join(tiles, ", "), schedule.width, schedule.panel, schedule.packed.empty() ? "" : ", packed",
          schedule.turned.empty() ? "" : ", turned in registers", schedule.block || schedule.lines ? ", rows made" : "",
          schedule.slice == 0 ? "" : fmt::format("; sums in slices of {}", schedule.slice),
          schedule.delays ? "; epilogues during the next sum" : "");
    case Schedule::Form::rows: break;
  }
  return fmt::format("rows {}: {} at once{}{}{}", name(schedule.row), schedule.rows(),
                     schedule.across > 0 ? ", in vectors" : "",
                     schedule.ahead ? ", the next one's first reduction ahead" : "", streams);
}

}  // namespace lathe
