#pragma once

#include <cstdint>
#include <optional>

#include <lathe/codegen/schedule.h>

/// How many rows a row kernel works on at a time, and in which way.
namespace lathe {

/// What every chunk copies whole should leave room in the second-level cache.
inline constexpr std::int64_t packed_whole_bytes = 64 * 1024;

/// Whether a stage has no more points a row, and takes no more elements for each, than a vector has lanes.
bool is_short(const loop::Pool& pool, const loop::Stage& stage, int lanes);

/// Of a short stage that runs across rows: the axis along which neighbours of what `load` reads lie, where it can be
/// turned so that neighbours are in different rows.
std::optional<loop::AxisId> turned_axis(Accesses& accesses, const loop::Stage& stage, loop::ExprId load,
                                        loop::AxisId row, int lanes);

/// Of a contraction of which one operand varies along `row`: that operand.
loop::ExprId operand_along(Accesses& accesses, const loop::Reduce& reduce, loop::AxisId row);

/// How many rows short stages had better take as one vector, instead of a vector with idle lanes for each row: worth it
/// for reductions, which else go from lane to lane. 0 if not all of the kernel is made for it.
int rows_across(Accesses& accesses, const loop::Kernel& kernel, loop::AxisId row, const MachineModel& machine);

/// Rows that a row kernel's register tiles take at once; those are what blocks of rows are for, unless short stages run
/// across rows.
int rows_at_once(const loop::Pool& pool, const loop::Kernel& kernel, const Dim& rows, int across,
                 const MachineModel& machine);

}  // namespace lathe
