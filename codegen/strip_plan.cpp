#include <lathe/codegen/strip_plan.h>

#include <algorithm>
#include <numeric>

#include <lathe/codegen/memory_plan.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// What kernels leave for each other in a strip of several points stays in the second-level cache.
constexpr std::int64_t strip_bytes = 256 << 10;
/// Where items are larger than points: the most points that it may take to make whole items.
constexpr std::int64_t most_item_points = 8;
constexpr std::int64_t tensor_alignment = 64;

/// The number of the point that a kernel is at, in row-major order.
Affine point_number(Pool& pool, const Program& program, const Schedule& schedule, std::size_t axes) {
  for (const Stage& stage : schedule.stages) {
    for (const Yield& yield : stage.yields) {
      const auto* to = std::get_if<ToTensor>(&yield.destination);
      if (!to) continue;
      const Shape& shape = program.tensor(to->tensor).type.shape;
      Expr number = pool.extent(0);
      for (std::size_t axis = 0; axis < axes; ++axis) {
        number = number * pool.extent(shape[axis]) + pool.wrap(to->indices[axis]);
      }
      return affine(pool, number.id);
    }
  }
  return {};
}

/// Nothing if a point is no number of neighbouring items, nor an item a number of points.
std::optional<PointItems> items_of_point(const Program& program, const Schedule& schedule, std::size_t axes) {
  Pool& pool = *program.pool;
  const Affine number = point_number(pool, program, schedule, axes);
  const auto& batch = schedule.batch;
  if (number.terms.empty() || number.constant != Dim(0)) return std::nullopt;
  PointItems out{.panels_before = true, .rows_after = true};
  const auto axis_of = [&](ExprId id) -> std::optional<AxisId> {
    const auto* index = std::get_if<AxisIndex>(&pool.node(id));
    if (!index || std::find(schedule.shared.begin(), schedule.shared.end(), index->axis) != schedule.shared.end()) {
      return std::nullopt;
    }
    return index->axis;
  };
  if (number.terms.size() > 1) {  // axes of the batch, one after the other
    const auto has = [&](AxisId axis) { return number.coefficient(pool.index(axis).id) != Dim(0); };
    const auto first = std::find_if(batch.begin(), batch.end(), has);
    const auto end = std::find_if_not(first, batch.end(), has);
    if (static_cast<std::size_t>(end - first) != number.terms.size()) return std::nullopt;
    Dim step = 1;
    for (auto axis = end; axis-- != first;) {
      const ExprId id = pool.index(*axis).id;
      if (!axis_of(id) || number.coefficient(id) != step) return std::nullopt;
      step = step * pool.axis(*axis).extent;
    }
    out.before.assign(batch.begin(), first);
    out.after.assign(end, batch.end());
    return out;
  }
  if (number.terms.front().second != Dim(1)) return std::nullopt;
  ExprId id = number.terms.front().first;
  while (const auto* quotient = std::get_if<Binary>(&pool.node(id))) {
    const auto* length = std::get_if<Extent>(&pool.node(quotient->b));
    const auto elements = length ? length->dim.as_constant() : std::nullopt;
    if (quotient->op != BinaryOp::floor_div || !elements || *elements <= 0) return std::nullopt;
    out.point *= *elements;
    id = quotient->a;
  }
  const std::optional<AxisId> axis = axis_of(id);
  if (!axis) return std::nullopt;
  if (schedule.column == axis) {
    out.panels_before = false;
    out.after = batch;
    out.item = schedule.panel;
    return out;
  }
  const auto at = std::find(batch.begin(), batch.end(), *axis);
  out.before.assign(batch.begin(), at);
  if (at != batch.end()) {
    out.after.assign(at + 1, batch.end());
    return out;
  }
  if (schedule.row != axis) return std::nullopt;
  out.rows_after = false;
  out.item = schedule.rows();
  return out;
}

/// The least number of points that are whole items.
std::int64_t whole_points(const PointItems& items) {
  return items.item / std::gcd(items.item, items.point);
}

/// Tells those links of a run that may lie elsewhere than where their points are. What they share memory with must then
/// do so as well.
void choose_private(const Program& program, const StripGroup& group, StripRun& run) {
  const auto in_run = [&](loop::TensorId id) {
    return std::any_of(run.links.begin(), run.links.end(), [&](const auto& link) { return link.tensor == id; });
  };
  for (StripGroup::Link& link : run.links) {
    const bool shares_with_others = std::any_of(group.links.begin(), group.links.end(), [&](const auto& other) {
      return !in_run(other.tensor) && share_memory(program.tensor(other.tensor), program.tensor(link.tensor));
    });
    const bool stays_aligned = run.points * link.point_bytes % tensor_alignment == 0;
    link.is_private = link.is_private && stays_aligned && !shares_with_others;
  }
}

}  // namespace

bool pays(const StripRun& run, const Bindings& bindings) {
  return run.link_bytes.evaluate(bindings) >= least_link_bytes &&
         run.all_points.evaluate(bindings) >= least_strips * run.points && run.work.evaluate(bindings) >= parallel_work;
}

StripPlan plan_strips(const Program& program, const StripGroup& group, const MachineModel& machine) {
  StripPlan out;
  for (std::size_t step = group.first; step < group.first + group.count; ++step) {
    Schedule made = schedule(program, std::get<Kernel>(program.steps[step]), machine);
    std::erase_if(made.streamed, [&](TensorId id) {
      return std::any_of(group.links.begin(), group.links.end(), [&](const auto& link) { return link.tensor == id; });
    });
    const auto items = items_of_point(program, made, group.axes);
    if (items && whole_points(*items) <= most_item_points) {
      const bool goes_on = !out.runs.empty() && out.runs.back().first + out.runs.back().count == step;
      if (!goes_on) out.runs.push_back({.first = step, .all_points = group.points});
      StripRun& run = out.runs.back();
      ++run.count;
      run.items.push_back(*items);
      run.work = run.work + made.work;
    }
    out.schedules.push_back(std::move(made));
  }
  for (StripRun& run : out.runs) {
    std::int64_t bytes = 0;
    for (const StripGroup::Link& link : group.links) {
      if (link.first < run.first || link.last >= run.first + run.count) continue;
      run.links.push_back(link);
      bytes += link.point_bytes;
    }
    std::int64_t whole = 1;
    for (const PointItems& items : run.items) whole = std::lcm(whole, whole_points(items));
    run.points = std::max<std::int64_t>(strip_bytes / std::max<std::int64_t>(bytes, 1) / whole, 1) * whole;
    run.link_bytes = run.all_points * Dim(bytes);
    choose_private(program, group, run);
  }
  std::erase_if(out.runs, [](const StripRun& run) { return run.links.empty(); });
  return out;
}

}  // namespace lathe
