#pragma once

#include <optional>

#include <lathe/codegen/schedule.h>

namespace lathe {

/// The schedule of `kernel` if it can do the work of `producer` too, the kernel right before it: a map whose rows are
/// what a contraction reads along its own rows, such as images that are gathered, cast and scaled. Each block of rows
/// is then made where its first tile reads it, and stored for later kernels while the sum hides what that costs; no
/// thread waits for another to make its rows. Nothing if the two have to run one after the other.
std::optional<Schedule> fill_rows(const Program& program, const loop::Kernel& producer, const loop::Kernel& kernel,
                                  const MachineModel& machine);
/// The same for step `index` and the one after it.
std::optional<Schedule> fill_rows(const Program& program, std::size_t index, const MachineModel& machine);

}  // namespace lathe
