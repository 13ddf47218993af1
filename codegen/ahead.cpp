#include <lathe/codegen/ahead.h>

#include <algorithm>

#include <lathe/codegen/lowered.h>
#include <lathe/codegen/schedule.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// The stage without reductions that computes most along one axis of so many columns, in vectors of that width. One
/// that a sum joins counts, too: they share a loop.
std::optional<std::size_t> longest_map(Accesses& accesses, std::span<const Stage> stages, const Dim& columns,
                                       int width) {
  const Pool& pool = accesses.pool();
  std::optional<std::size_t> longest;
  int most = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    if (reduction(pool, stage) || stage.inner.size() != 1 || pool.axis(stage.inner.front()).extent != columns) continue;
    std::vector<ExprId> values;
    int operations = 0;
    for (const Yield& yield : stage.yields) {
      values.push_back(yield.value);
      operations += accesses.operations(yield.value);
    }
    if (operations <= most || vector_width(pool, values) != width) continue;
    most = operations;
    longest = i;
  }
  return longest;
}

}  // namespace

std::optional<Ahead> look_ahead(Accesses& accesses, std::span<const Stage> stages, AxisId row) {
  Pool& pool = accesses.pool();
  const Stage& first = stages.front();
  if (!reduction(pool, first)) return std::nullopt;
  const Reduce reduce = *reduction(pool, first);
  if (reduce.op == ReduceOp::contract || reduce.axes.size() != 1) return std::nullopt;
  const ExprId value = first.yields.front().value;
  const bool stays = std::all_of(first.yields.begin(), first.yields.end(),
                                 [](const Yield& yield) { return std::holds_alternative<ToLocal>(yield.destination); });
  if (!stays || accesses.varies(value, first.inner)) return std::nullopt;
  // The next row has to be there, and must not fail before this one.
  if (accesses.facts(value).reads_stored || contains_check(pool, {&value, 1})) return std::nullopt;
  const auto host =
      longest_map(accesses, stages, pool.axis(reduce.axes.front()).extent, reduce_lanes(pool.dtype(value)));
  if (!host) return std::nullopt;

  const AxisInfo info = pool.axis(row);
  const AxisId next = pool.make_axis(info.extent, info.name + "_next");
  Substitution substitute(pool);
  substitute.replace(row, pool.index(next));
  const Expr operand = pool.wrap(substitute(reduce.a));
  return Ahead{pool.reduce(reduce.op, reduce.axes, operand).id, next, *host};
}

}  // namespace lathe
