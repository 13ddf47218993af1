#pragma once

#include <lathe/codegen/schedule.h>

/// What of a contraction is at hand at a time: rows that are made as it goes, slices of the sum, and what another tile
/// has left to do.
namespace lathe {

/// Whether the terms of a sum can be taken some at a time: it goes over one axis, comes first, and is all that the
/// kernel reduces.
bool can_take_slices(const loop::Pool& pool, const Schedule& schedule, const loop::Reduce& reduce);

/// How to make the operand that needs it: in blocks, unless its lines run across rows or blocks would be too large.
void choose_making(Accesses& accesses, Schedule& schedule, const loop::Reduce& reduce);

/// How many indices of the first reduced axis read as much as the cache holds; 0 where that is half of them or more.
/// Only for sums over several axes, where one index reads much.
std::int64_t choose_slice(Accesses& accesses, const Schedule& schedule, const loop::Reduce& reduce);

/// Whether a tile's epilogue can wait for the next tile's sum, and is worth waiting, as it reads much or takes long. It
/// then runs a row at a time between the steps of the sum, in registers of its own.
bool can_delay(Accesses& accesses, const Schedule& schedule, const loop::Reduce& reduce, const MachineModel& machine);

/// Rows that take slices of their sums in turn.
std::int64_t sliced_rows(const Schedule& schedule);
/// Rows whose sums are kept in memory from slice to slice: the same, or as many as pay for the copy of a panel, but no
/// more than there are.
std::int64_t kept_rows(const Schedule& schedule, const loop::Pool& pool);
/// How many points share a block of rows if a thread is alone: panels and points of batch axes.
std::int64_t sharing_points(const Schedule& schedule, const loop::Pool& pool);

}  // namespace lathe
