#pragma once

#include <optional>

#include <lathe/codegen/schedule.h>

namespace lathe {

/// The schedule of the kernel after step `index` if it can do that step's work too: a cheap map whose rows are what a
/// contraction reads along its own rows, such as images that are gathered, cast and scaled. Every item makes the rows
/// that it reads, while its sum hides what that costs, and one of those with the same rows stores them for later
/// kernels. So no thread waits for another to make its rows, or has to fetch them. Nothing if the two have to run one
/// after the other.
std::optional<Schedule> fill_rows(const Program& program, std::size_t index, const MachineModel& machine);

/// The same kernel for a thread on its own, which makes each row once for all columns that it can.
Schedule fill_rows_alone(const Program& program, Schedule filled);

}  // namespace lathe
