#pragma once

#include <optional>
#include <span>
#include <vector>

#include <lathe/codegen/schedule.h>

/// How a contraction covers an item with tiles.
namespace lathe {

/// A panel is wide enough for what is loaded of the other operand to be used several times.
inline constexpr int most_panel_vectors = 4;

/// The rows of tiles that together cover `rows`, the first with `most` of them.
std::vector<int> rows_of_tiles(const Dim& rows, int most);

/// The operand of `reduce` to copy: it runs along the columns, is the same for all rows, and its lines are hard to
/// load. Rows at other points of the batch may share a copy.
std::optional<loop::ExprId> choose_packed(Accesses& accesses, const loop::Reduce& reduce, loop::AxisId column,
                                          const std::optional<loop::AxisId>& row, std::span<const loop::AxisId> batch);

/// Fills in tiles, panels, and what is copied, turned or made for them. `schedule` knows its axes.
void schedule_contraction(Accesses& accesses, Schedule& schedule, const loop::Reduce& reduce,
                          const MachineModel& machine);

}  // namespace lathe
