#pragma once

#include <vector>

#include <lathe/codegen/schedule.h>
#include <lathe/codegen/strips.h>

namespace lathe {

/// Which items of a kernel a point of the axes common to a group is. Items go over `before`, then along the points,
/// then over `after`.
struct PointItems {
  std::vector<loop::AxisId> before = {};  // axes of the batch
  bool panels_before = false;             // and panels of columns
  std::vector<loop::AxisId> after = {};
  bool rows_after = false;  // and blocks of rows
  std::int64_t point = 1;   // elements of a point, along the axis that the common ones have become a part of
  std::int64_t item = 1;    // elements of an item, along the same
};

/// Kernels of a group whose schedules let them run in strips together.
struct StripRun {
  std::size_t first = 0;  // step
  std::size_t count = 0;
  std::int64_t points = 1;  // of a strip
  std::vector<PointItems> items = {};
  std::vector<StripGroup::Link> links = {};  // private ones lie where some strip has them, for all of a call
  Dim all_points = {};
  Dim link_bytes = {};
  Dim work = {};  // as in Schedule
};

/// At most so many calls share strips out, each of which has a place for private links.
inline constexpr std::int64_t most_strip_chunks = 64;

/// What compiled code works out when it runs.
bool pays(const StripRun& run, const Bindings& bindings);

/// How a group's kernels run. What the next one finds in the caches does not go past them.
struct StripPlan {
  std::vector<Schedule> schedules;
  std::vector<StripRun> runs;
};
StripPlan plan_strips(const Program& program, const StripGroup& group, const MachineModel& machine);

}  // namespace lathe
