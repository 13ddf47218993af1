#include <lathe/codegen/contraction.h>

#include <algorithm>
#include <bit>

#include <lathe/codegen/nest.h>
#include <lathe/codegen/slicing.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// What is copied of a panel should leave room in the second-level cache; as wide as a tile it may take more than half.
constexpr std::int64_t packed_bytes = 256 * 1024;
constexpr std::int64_t most_packed_bytes = 640 * 1024;

/// How many rows use an operand that is the same for all of `row`, together with those of other points of the batch.
Dim rows_of(Accesses& accesses, ExprId operand, const std::optional<AxisId>& row, std::span<const AxisId> batch) {
  const Pool& pool = accesses.pool();
  Dim rows = row ? pool.axis(*row).extent : Dim(1);
  for (const AxisId axis : batch) {
    if (!accesses.varies(operand, axis)) rows = rows * pool.axis(axis).extent;
  }
  return rows;
}

constexpr std::int64_t page_bytes = 4096;

/// How far apart an operand's elements at neighbouring indices of an axis are, if that is known.
std::optional<std::int64_t> bytes_apart(Accesses& accesses, ExprId operand, AxisId axis) {
  const std::optional<Dim> step = accesses.step(operand, axis);
  if (!step || !step->is_constant()) return std::nullopt;
  return step->constant() * static_cast<std::int64_t>(size_of(accesses.pool().dtype(operand)));
}

/// What becomes of an operand along the columns that is hard to load.
enum class Preparation { none, copy, copy_slices, turn };

/// A copy is whole, or has so many terms of the sum at a time that its panels are not narrow. Turning is less work for
/// few rows.
Preparation choose_preparation(Accesses& accesses, const Schedule& schedule, const Reduce& reduce, ExprId operand) {
  constexpr std::int64_t few = 16;
  const Pool& pool = accesses.pool();
  const DType dtype = pool.dtype(operand);
  const bool loads = std::holds_alternative<Load>(pool.node(operand));
  const bool turns =
      loads && !accesses.contiguous(operand, *schedule.column) && accesses.step(operand, reduce.axes.back()) == Dim(1);
  const Dim rows = rows_of(accesses, operand, schedule.row, schedule.batch);
  const bool few_rows = rows.is_constant() && rows.constant() <= few;
  if (few_rows && turns) return Preparation::turn;
  const std::optional<std::int64_t> length = reduced_length(pool, reduce);
  const std::int64_t bytes = length.value_or(0) * schedule.width * static_cast<std::int64_t>(size_of(dtype));
  const bool is_long = !length || bytes > packed_bytes / 2;
  if (is_long && !few_rows && can_take_slices(pool, schedule, reduce)) return Preparation::copy_slices;
  if (bytes > 0 && bytes <= most_packed_bytes) return Preparation::copy;
  return turns ? Preparation::turn : Preparation::none;
}

constexpr int most_turned_vectors = 2;

/// How many vectors of columns to turn in step: no prefetcher follows more lines than two have, nor does a set of the
/// cache hold the lines of one that are whole pages apart.
int turned_vectors(Accesses& accesses, ExprId turned, AxisId column) {
  const auto apart = bytes_apart(accesses, turned, column);
  return apart && *apart % page_bytes == 0 ? 1 : most_turned_vectors;
}

/// Their pages fit into the first level of the buffer that knows where pages are.
constexpr std::int64_t few_terms = 16;
constexpr int few_terms_vectors = 32;

/// Whether vectors of an operand are loaded as they are, for few rows, with each term of the sum in another page: then
/// a core looks up where pages are for most of its time, unless it takes few terms of many columns at a time.
bool reads_many_pages(Accesses& accesses, const Schedule& schedule, const Reduce& reduce) {
  const Pool& pool = accesses.pool();
  const auto suits = [&](ExprId operand) {
    if (!std::holds_alternative<Load>(pool.node(operand)) || !accesses.contiguous(operand, *schedule.column))
      return false;
    if (schedule.row && accesses.varies(operand, *schedule.row)) return false;
    const auto apart = bytes_apart(accesses, operand, reduce.axes.back());
    return apart && *apart >= page_bytes;
  };
  return can_take_slices(pool, schedule, reduce) && (suits(reduce.a) || suits(reduce.b));
}

}  // namespace

std::vector<int> rows_of_tiles(const Dim& rows, int most) {
  if (most <= 1) return {1};
  if (const auto count = rows.as_constant()) {
    if (*count < most) return {static_cast<int>(std::max<std::int64_t>(*count, 1))};
    const int rest = static_cast<int>(*count % most);
    return rest == 0 ? std::vector{most} : std::vector{most, rest};
  }
  return most >= 4 ? std::vector{most, most / 2, 1} : std::vector{most, 1};
}

std::optional<ExprId> choose_packed(Accesses& accesses, const Reduce& reduce, AxisId column,
                                    const std::optional<AxisId>& row, std::span<const AxisId> batch) {
  constexpr std::int64_t few_rows = 32;  // do not pay for a copy of what can be loaded as it is
  for (const ExprId operand : {reduce.b, reduce.a}) {
    const bool other_varies = accesses.varies(operand == reduce.b ? reduce.a : reduce.b, column);
    if (!accesses.varies(operand, column) || other_varies || reduce.axes.empty()) continue;
    if ((row && accesses.varies(operand, *row)) || accesses.facts(operand).reads_stored) continue;
    const Dim rows = rows_of(accesses, operand, row, batch);
    for (const ExprId load : loads_of(accesses.pool(), {&operand, 1})) {
      const std::optional<Dim> along = accesses.step(load, column);
      if (!along || (*along != Dim(0) && *along != Dim(1))) return operand;
      if (rows.is_constant() && rows.constant() < few_rows) continue;
      const std::optional<Dim> next = accesses.step(load, reduce.axes.back());
      if (!next || is_far_apart(*next, accesses.pool().dtype(load))) return operand;
    }
  }
  return std::nullopt;
}

void schedule_contraction(Accesses& accesses, Schedule& schedule, const Reduce& reduce, const MachineModel& machine) {
  const Pool& pool = accesses.pool();
  const DType dtype = pool.dtype(reduce.a);
  const Dim rows = schedule.row ? pool.axis(*schedule.row).extent : Dim(1);
  const Dim columns = pool.axis(*schedule.column).extent;
  schedule.width = reduce_lanes(dtype);
  const int bytes = static_cast<int>(size_of(dtype));
  const auto copied = choose_packed(accesses, reduce, *schedule.column, schedule.row, schedule.batch);
  const Preparation preparation = copied ? choose_preparation(accesses, schedule, reduce, *copied) : Preparation::none;
  const Dim turned_columns = std::int64_t{most_turned_vectors} * schedule.width;
  const Tile tile =
      choose_tile(rows, preparation == Preparation::turn ? turned_columns : columns, schedule.width, bytes, machine);
  const auto most_of = [&](int vectors) {
    const int whole_tiles = tile.vectors * std::max(1, vectors / tile.vectors);
    const auto count = columns.as_constant();
    if (!count) return whole_tiles;
    return static_cast<int>(std::clamp<std::int64_t>(ceil_div(*count, schedule.width), 1, whole_tiles));
  };
  int most_vectors = most_of(most_panel_vectors);
  const int vector_bytes = schedule.width * bytes;
  if (preparation == Preparation::copy || preparation == Preparation::copy_slices) schedule.packed.push_back(*copied);
  if (preparation == Preparation::turn) {
    schedule.turned.push_back(*copied);
    most_vectors = std::min(most_vectors, turned_vectors(accesses, *copied, *schedule.column));
  }
  const auto set_panel = [&](std::int64_t most_bytes) {
    int vectors = most_vectors;
    if (preparation == Preparation::copy) {
      const std::int64_t line_bytes = *reduced_length(pool, reduce) * vector_bytes;
      const std::int64_t needed = std::min<std::int64_t>(most_packed_bytes / line_bytes, tile.vectors);
      vectors = static_cast<int>(std::clamp<std::int64_t>(most_bytes / line_bytes, needed, most_vectors));
    } else if (preparation == Preparation::copy_slices) {
      const auto terms = static_cast<std::uint64_t>(packed_bytes / (std::int64_t{vectors} * vector_bytes));
      schedule.packed_slice = static_cast<std::int64_t>(std::bit_floor(terms));
    }
    schedule.panel = std::int64_t{vectors} * schedule.width;
    schedule.tiles.clear();
    for (const int tile_rows : rows_of_tiles(rows, tile.rows)) {
      const int tile_columns = tile_rows == tile.rows
                                   ? tile.vectors
                                   : tile_vectors(tile_rows, columns, schedule.width, bytes, machine, vectors);
      schedule.tiles.push_back({tile_rows, std::min(tile_columns, vectors)});
    }
  };
  set_panel(packed_bytes);
  if (preparation != Preparation::turn) choose_making(accesses, schedule, reduce);
  if (schedule.lines && !schedule.packed.empty()) {
    // For each panel, lines are made anew of memory that no prefetcher follows.
    if (preparation == Preparation::copy_slices) most_vectors = most_of(2 * most_panel_vectors);
    set_panel(2 * packed_bytes);
  }
  if (!copied && !schedule.lines && !schedule.block && reads_many_pages(accesses, schedule, reduce)) {
    most_vectors = most_of(few_terms_vectors);
    set_panel(packed_bytes);
    schedule.slice = few_terms;
  } else if (!schedule.lines) {
    schedule.slice = schedule.packed_slice > 0 ? schedule.packed_slice : choose_slice(accesses, schedule, reduce);
  }
  schedule.delays = can_delay(accesses, schedule, reduce, machine);
}

}  // namespace lathe
