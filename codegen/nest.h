#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include <lathe/codegen/program.h>

/// Rewrites of a kernel's loop nest that leave what it computes alone.
namespace lathe {

/// The same kernel over fewer outer axes: axes of extent 1 go, and neighbours become one axis wherever every access
/// stays linear without divisions. So an element-wise kernel over whole arrays becomes one long loop.
loop::Kernel merge_outer_axes(const Program& program, loop::Kernel kernel);

/// The same for the inner axes of stages without reductions.
void merge_inner_axes(const Program& program, std::span<const loop::LocalInfo> locals,
                      std::vector<loop::Stage>& stages);

/// Where the runs of outer axes go.
enum class RunOrder {
  outermost,  // a thread that takes neighbouring items stays within few runs
  in_place,   // items stay in the order of memory
};

/// The same kernel with axes cut into runs of a length that divides their extent: an axis becomes one over runs and one
/// within a run. Sums keep their order.
loop::Kernel split_axes(loop::Pool& pool, loop::Kernel kernel, const std::map<loop::AxisId, std::int64_t>& runs,
                        RunOrder order);

/// Splits outer axes where that leaves fewer divisions: the channels of a grouped convolution, say, whose input depends
/// on the group alone. A kernel that contracts goes through one run after the other, which share an operand; any other
/// keeps to the order of memory.
loop::Kernel split_outer_axes(const Program& program, loop::Kernel kernel);

/// A sum over what the stage before it puts into a row joins the loop of that stage: both then run along one axis.
void join_sums(loop::Pool& pool, std::vector<loop::Stage>& stages);
/// Whether the reduction `sum` runs in the loop of the stage before it, along that stage's own axis.
bool joins(const loop::Pool& pool, const loop::Stage& row, const loop::Stage& sum);

/// Lets the map after stage `sum` run along the axes of that one, if it alone reads what that leaves, and only at the
/// same point: then it can take it from registers. Returns whether it does.
bool join_map(loop::Pool& pool, std::vector<loop::Stage>& stages, std::size_t sum);

/// How many elements a reduction combines, if it is known.
std::optional<std::int64_t> reduced_length(const loop::Pool& pool, const loop::Reduce& reduce);

}  // namespace lathe
