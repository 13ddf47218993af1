#include <lathe/codegen/slicing.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include <lathe/codegen/nest.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// What is computed of a block of rows should leave room in the second-level cache.
constexpr std::int64_t block_bytes = 128 * 1024;
/// What a slice of a contraction reads should leave room there, too, and all columns that share a block of rows.
constexpr std::int64_t slice_bytes = 512 * 1024;
/// Their sums should stay there from slice to slice.
constexpr std::int64_t most_kept_rows = 256;
/// Of an operand made in lines: what a slice has of a group of rows stays in the first-level cache beside the rest.
constexpr std::int64_t lines_slice = 256;

/// Whether a sum is all that the kernel reduces, and comes first: then it can be left in memory before all is done.
bool sums_first(const Pool& pool, const Schedule& schedule) {
  const auto is_reduction = [&](const Stage& stage) { return reduction(pool, stage) != nullptr; };
  const std::span<const Stage> stages = schedule.stages;
  return schedule.row && is_reduction(stages.front()) && std::none_of(stages.begin() + 1, stages.end(), is_reduction);
}

/// Whether lines so many elements apart are far from each other, and fall into a quarter of the first-level cache's
/// sets or less: the lines of a page take turns with them.
bool share_few_sets(const Dim& step, DType dtype) {
  return is_far_apart(step, dtype) &&
         step.constant() * static_cast<std::int64_t>(size_of(dtype)) % (4 * cache_line_bytes) == 0;
}

/// The operand of `reduce` that is the same for all columns and takes arithmetic, lies wherever an index says, or has
/// the terms of a row in few sets of the cache, between those of other rows.
std::optional<ExprId> choose_made(Accesses& accesses, const Schedule& schedule, const Reduce& reduce) {
  const Pool& pool = accesses.pool();
  const auto suits_as_it_is = [&](ExprId load) {
    const std::optional<Dim> term = accesses.step(load, reduce.axes.front());
    if (!term || (schedule.row && !accesses.step(load, *schedule.row))) return false;
    const bool between = can_take_slices(pool, schedule, reduce) && accesses.contiguous(load, *schedule.row);
    return !between || !share_few_sets(*term, pool.dtype(load));
  };
  for (const ExprId operand : {reduce.a, reduce.b}) {
    if (std::holds_alternative<Load>(pool.node(operand)) && suits_as_it_is(operand)) continue;
    if (accesses.varies(operand, *schedule.column) || !accesses.varies(operand, reduce.axes)) continue;
    if (!accesses.facts(operand).reads_stored) return operand;
  }
  return std::nullopt;
}

/// Lets all columns, and points of batch axes, use the same rows of an operand, of which they read `length` terms at a
/// time, while the contraction's other operand stays in the cache.
void share_rows(Accesses& accesses, Schedule& schedule, ExprId rows, std::int64_t length) {
  const Pool& pool = accesses.pool();
  // What a column reads of the other operand, then a panel, then all that share a block.
  std::int64_t read = length * static_cast<std::int64_t>(size_of(pool.dtype(rows)));
  const auto columns = pool.axis(*schedule.column).extent.as_constant();
  schedule.shares_columns = columns && *columns > schedule.panel && read * *columns <= slice_bytes;
  read *= schedule.shares_columns ? *columns : schedule.panel;
  for (const AxisId axis : schedule.batch) {
    const auto count = pool.axis(axis).extent.as_constant();
    if (!count || accesses.varies(rows, axis) || read * *count > slice_bytes) continue;
    read *= *count;
    schedule.shared.push_back(axis);
  }
}

}  // namespace

bool can_take_slices(const Pool& pool, const Schedule& schedule, const Reduce& reduce) {
  return sums_first(pool, schedule) && reduce.axes.size() == 1;
}

void choose_making(Accesses& accesses, Schedule& schedule, const Reduce& reduce) {
  const Pool& pool = accesses.pool();
  if (reduce.axes.empty()) return;
  const bool packs = !schedule.packed.empty();
  const std::optional<ExprId> made = choose_made(accesses, schedule, reduce);
  if (!made) return;
  const std::optional<std::int64_t> length = reduced_length(pool, reduce);
  const auto bytes = static_cast<std::int64_t>(size_of(pool.dtype(*made)));
  const bool fits = length && *length > 0 && *length * schedule.rows() * bytes <= block_bytes;
  const bool across = can_take_slices(pool, schedule, reduce) &&
                      (!length || accesses.contiguous(*made, *schedule.row)) &&
                      !accesses.contiguous(*made, reduce.axes.front());
  if (across) {
    schedule.lines = made;
    schedule.slice = lines_slice;
    if (!packs) share_rows(accesses, schedule, *made, lines_slice);
  } else if (fits && !packs) {
    schedule.block = made;
    share_rows(accesses, schedule, *made, *length);
  }
}

std::int64_t choose_slice(Accesses& accesses, const Schedule& schedule, const Reduce& reduce) {
  const Pool& pool = accesses.pool();
  if (!sums_first(pool, schedule) || reduce.axes.size() == 1 || !schedule.packed.empty() || schedule.block) return 0;
  std::int64_t bytes = 0;  // that one index reads
  for (const ExprId operand : {reduce.a, reduce.b}) {
    if (!std::holds_alternative<Load>(pool.node(operand))) return 0;
    std::int64_t read = static_cast<std::int64_t>(size_of(pool.dtype(operand)));
    for (const AxisId axis : std::span(reduce.axes).subspan(1)) {
      const auto count = pool.axis(axis).extent.as_constant();
      if (!count) return 0;
      if (accesses.varies(operand, axis)) read *= std::max<std::int64_t>(*count, 1);
    }
    if (accesses.varies(operand, *schedule.column)) read *= schedule.panel;
    if (accesses.varies(operand, *schedule.row)) {
      const std::int64_t rows = sliced_rows(schedule);
      read *= std::min(pool.axis(*schedule.row).extent.as_constant().value_or(rows), rows);
    }
    bytes += read;
  }
  const auto rows = pool.axis(*schedule.row).extent.as_constant();
  if (rows && *rows <= schedule.rows()) return 0;
  const std::int64_t most = std::clamp<std::int64_t>(slice_bytes / std::max<std::int64_t>(bytes, 1), 1, contract_chunk);
  const std::int64_t slice = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(most)));
  const auto all = pool.axis(reduce.axes.front()).extent.as_constant();
  return all && *all <= 2 * slice ? 0 : slice;
}

bool can_delay(Accesses& accesses, const Schedule& schedule, const Reduce& reduce, const MachineModel& machine) {
  const Pool& pool = accesses.pool();
  const std::span<const Stage> stages = schedule.stages;
  if (stages.size() < 2 || !sums_first(pool, schedule) || schedule.block || reduce.axes.empty()) return false;
  // All tiles are alike, whole, and more than a row.
  const Tile& tile = schedule.tiles.front();
  const auto columns = pool.axis(*schedule.column).extent.as_constant();
  if (!columns || schedule.tiles.size() > 1 || tile.rows == 1) return false;
  if (*columns % schedule.panel != 0 || schedule.panel % (tile.vectors * schedule.width) != 0) return false;
  const int bytes = static_cast<int>(size_of(pool.dtype(reduce.a)));
  if (!leaves_registers(tile, schedule.width, bytes, machine)) return false;
  // What is summed is nothing that an epilogue changes.
  if (accesses.facts(reduce.a).reads_stored || accesses.facts(reduce.b).reads_stored) return false;
  if (!accesses.varies(stages.front().yields.front().value, *schedule.column)) return false;
  const std::vector<ExprId> loads = loads_of(pool, values_of(stages.subspan(1)));
  const bool reads = std::any_of(loads.begin(), loads.end(), [&](ExprId load) {
    return accesses.varies(load, *schedule.row) && accesses.varies(load, *schedule.column);
  });
  return reads || is_long(accesses, stages.subspan(1), tile);
}

std::int64_t sliced_rows(const Schedule& schedule) {
  if (schedule.lines) return std::lcm(schedule.rows(), schedule.width);  // whole tiles, made by whole vectors
  return ceil_div(most_kept_rows, schedule.rows()) * schedule.rows();
}

std::int64_t kept_rows(const Schedule& schedule, const Pool& pool) {
  const std::int64_t together = sliced_rows(schedule);
  const std::int64_t kept = schedule.packed_slice > 0 ? ceil_div(most_kept_rows, together) * together : together;
  const auto all = pool.axis(*schedule.row).extent.as_constant();
  return all ? std::min(kept, ceil_div(std::max<std::int64_t>(*all, 1), schedule.rows()) * schedule.rows()) : kept;
}

std::int64_t sharing_points(const Schedule& schedule, const Pool& pool) {
  std::int64_t points = 1;
  if (schedule.shares_columns) points = ceil_div(pool.axis(*schedule.column).extent.constant(), schedule.panel);
  for (const AxisId axis : schedule.shared) points *= pool.axis(axis).extent.constant();
  return points;
}

}  // namespace lathe
