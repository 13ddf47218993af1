#include <lathe/codegen/row_blocks.h>

#include <algorithm>

#include <fmt/format.h>

#include <lathe/codegen/nest.h>
#include <lathe/graph/error.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// Row scratch of one block of rows should stay in the first-level cache.
constexpr std::int64_t row_scratch_bytes = 32 * 1024;

/// The bytes of scratch that a row takes.
std::int64_t row_bytes(const Kernel& kernel) {
  std::int64_t bytes = 1;
  for (const LocalInfo& local : kernel.locals) {
    const auto count = element_count(local.extents).as_constant();
    ensure(count.has_value(), fmt::format("kernel '{}': row '{}' has no constant size", kernel.name, local.name));
    bytes += *count * static_cast<std::int64_t>(size_of(local.dtype));
  }
  return bytes;
}

/// Whether all that a contraction reads of its rows is scratch: of that there are also rows beyond the last one.
bool takes_scratch(Accesses& accesses, const Reduce& reduce, AxisId row) {
  const std::vector<ExprId> loads = loads_of(accesses.pool(), {{reduce.a, reduce.b}});
  return std::none_of(loads.begin(), loads.end(), [&](ExprId load) { return accesses.varies(load, row); });
}

/// Whether a contraction with few results a row can sum for a vector of rows: what runs along them is then packed, once
/// for all results.
bool sums_across(Accesses& accesses, const Reduce& reduce, std::span<const AxisId> inner, AxisId row, int lanes) {
  if (reduce.axes.size() != 1 || accesses.varies(reduce.a, row) == accesses.varies(reduce.b, row)) return false;
  const ExprId along = operand_along(accesses, reduce, row);
  if (accesses.varies(along, inner)) return false;
  if (accesses.facts(along).reads_stored || !accesses.contiguous(along, reduce.axes.front())) return false;
  const auto length = reduced_length(accesses.pool(), reduce);
  const auto bytes = static_cast<std::int64_t>(size_of(accesses.pool().dtype(along)));
  return length && *length * lanes * bytes <= packed_whole_bytes;
}

/// The axes that a stage runs over in each row.
std::vector<AxisId> points_of(const Pool& pool, const Stage& stage) {
  std::vector<AxisId> points = stage.inner;
  if (const Reduce* reduce = reduction(pool, stage)) {
    points.insert(points.end(), reduce->axes.begin(), reduce->axes.end());
  }
  return points;
}

/// Whether a stage that is no contraction loads vectors across rows, or turns what it loads; it may gather one for all
/// its points.
bool loads_across(Accesses& accesses, const Stage& stage, AxisId row, int lanes) {
  const std::vector<AxisId> points = points_of(accesses.pool(), stage);
  const std::vector<ExprId> loads = loads_of(accesses.pool(), values_of({&stage, 1}));
  return std::all_of(loads.begin(), loads.end(), [&](ExprId load) {
    const std::optional<Dim> step = accesses.step(load, row);
    return step == Dim(0) || step == Dim(1) || !accesses.varies(load, points) ||
           turned_axis(accesses, stage, load, row, lanes);
  });
}

}  // namespace

bool is_short(const Pool& pool, const Stage& stage, int lanes) {
  std::int64_t points = 1;
  for (const AxisId axis : stage.inner) {
    const auto count = pool.axis(axis).extent.as_constant();
    if (!count) return false;
    points *= *count;
  }
  const Reduce* reduce = reduction(pool, stage);
  if (reduce && reduce->op != ReduceOp::contract) {
    const auto length = reduced_length(pool, *reduce);
    if (!length || *length > lanes) return false;
  }
  return points > 0 && points <= lanes;
}

std::optional<AxisId> turned_axis(Accesses& accesses, const Stage& stage, ExprId load, AxisId row, int lanes) {
  if (accesses.facts(load).reads_stored || accesses.pool().dtype(load) == boolean) return std::nullopt;
  const std::optional<Dim> apart = accesses.step(load, row);
  if (!apart || *apart == Dim(0) || *apart == Dim(1)) return std::nullopt;
  // Squares are turned before the stage begins: of one axis, then.
  std::vector<AxisId> axes = points_of(accesses.pool(), stage);
  std::erase_if(axes, [&](AxisId axis) { return !accesses.varies(load, axis); });
  if (axes.size() != 1 || accesses.step(load, axes.front()) != Dim(1)) return std::nullopt;
  const auto count = accesses.pool().axis(axes.front()).extent.as_constant();
  return count && *count <= lanes ? std::optional(axes.front()) : std::nullopt;
}

ExprId operand_along(Accesses& accesses, const Reduce& reduce, AxisId row) {
  return accesses.varies(reduce.a, row) ? reduce.a : reduce.b;
}

int rows_across(Accesses& accesses, const Kernel& kernel, AxisId row, const MachineModel& machine) {
  if (!machine.masks) return 0;
  const Pool& pool = accesses.pool();
  const int lanes = vector_width(pool, values_of(kernel.stages));
  const auto rows = pool.axis(row).extent.as_constant();
  if ((rows && *rows < lanes) || row_bytes(kernel) * lanes > row_scratch_bytes) return 0;
  bool reduces = false;
  for (const Stage& stage : kernel.stages) {
    const Reduce* reduce = reduction(pool, stage);
    const bool contracts = reduce && reduce->op == ReduceOp::contract;
    bool suits = true;
    if (!is_short(pool, stage, lanes)) {
      suits = !reduce || (contracts && !stage.inner.empty() && takes_scratch(accesses, *reduce, row));
    } else if (contracts) {
      suits = sums_across(accesses, *reduce, stage.inner, row, lanes);
    } else {
      suits = loads_across(accesses, stage, row, lanes);
      reduces |= reduce != nullptr;
    }
    if (!suits) return 0;
  }
  return reduces ? lanes : 0;
}

int rows_at_once(const Pool& pool, const Kernel& kernel, const Dim& rows, int across, const MachineModel& machine) {
  int most = 1;
  for (const Stage& stage : kernel.stages) {
    const Reduce* reduce = reduction(pool, stage);
    if (!reduce || reduce->op != ReduceOp::contract || stage.inner.empty()) continue;
    if (across > 0 && is_short(pool, stage, across)) continue;
    const DType dtype = pool.dtype(reduce->a);
    const Tile tile = choose_tile(rows, pool.axis(stage.inner.back()).extent, reduce_lanes(dtype),
                                  static_cast<int>(size_of(dtype)), machine);
    most = std::max(most, tile.rows);
  }
  return static_cast<int>(std::clamp<std::int64_t>(row_scratch_bytes / row_bytes(kernel), 1, most));
}

}  // namespace lathe
