#include <lathe/codegen/nest.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>

#include <lathe/codegen/access.h>
#include <lathe/codegen/schedule.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// The divisions and remainders along `axes` that stages would compute.
std::vector<ExprId> quotients_of(const Program& program, std::span<const LocalInfo> locals,
                                 std::span<const Stage> stages, std::span<const AxisId> axes) {
  Accesses accesses(program, locals, stages);
  std::unordered_set<ExprId> seen;
  std::vector<ExprId> stack;
  for (const Stage& stage : stages) {
    for (const Yield& yield : stage.yields) {
      stack.push_back(yield.value);
      stack.push_back(accesses.target(yield));
    }
  }
  std::vector<ExprId> quotients;
  while (!stack.empty()) {
    const ExprId id = stack.back();
    stack.pop_back();
    if (!seen.insert(id).second) continue;
    const ExprNode& node = accesses.pool().node(id);
    if (std::holds_alternative<Load>(node) || std::holds_alternative<Local>(node)) {
      for (const auto& [atom, coefficient] : accesses.flat(id).terms) stack.push_back(atom);
      continue;
    }
    if (const auto sum = accesses.linear(id)) {
      for (const auto& [atom, coefficient] : sum->terms) stack.push_back(atom);
      continue;
    }
    const auto* binary = std::get_if<Binary>(&node);
    const bool divides = binary && (binary->op == BinaryOp::floor_div || binary->op == BinaryOp::mod);
    if (divides && accesses.varies(id, axes)) quotients.push_back(id);
    for (const ExprId operand : accesses.pool().operands(id)) stack.push_back(operand);
  }
  return quotients;
}

void substitute_indices(Substitution& substitute, Yield& yield) {
  std::visit(
      [&](auto& to) {
        for (ExprId& index : to.indices) index = substitute(index);
      },
      yield.destination);
}

/// The divisions and remainders along outer axes that the kernel would compute.
std::vector<ExprId> quotients_of(const Program& program, const Kernel& kernel) {
  return quotients_of(program, kernel.locals, kernel.stages, kernel.outer);
}

/// Makes one axis of number `first` of `axes` and the next.
void merge_pair(Pool& pool, std::vector<AxisId>& axes, std::size_t first, std::span<Stage> stages) {
  const AxisId a = axes[first];
  const AxisId b = axes[first + 1];
  const Dim inner = pool.axis(b).extent;
  const AxisId both =
      pool.make_axis(pool.axis(a).extent * inner, fmt::format("{}{}", pool.axis(a).name, pool.axis(b).name));
  Substitution substitute(pool);
  substitute.replace(a, floor_div(pool.index(both), pool.extent(inner)));
  substitute.replace(b, mod(pool.index(both), pool.extent(inner)));
  axes[first] = both;
  axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(first) + 1);
  for (Stage& stage : stages) {
    for (Yield& yield : stage.yields) {
      yield.value = substitute(yield.value);
      substitute_indices(substitute, yield);
    }
  }
}

}  // namespace

void join_sums(Pool& pool, std::vector<Stage>& stages) {
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) {
    const Stage& row = stages[i];
    Stage& sum = stages[i + 1];
    const Reduce* reduce = reduction(pool, sum);
    if (!reduce || reduce->op == ReduceOp::contract || reduce->axes.size() != 1) continue;
    if (row.inner.size() != 1 || reduction(pool, row)) continue;
    const AxisId axis = row.inner.front();
    const bool alone = std::all_of(sum.inner.begin(), sum.inner.end(),
                                   [&](AxisId inner) { return pool.axis(inner).extent == Dim(1); });
    if (!alone || pool.axis(axis).extent != pool.axis(reduce->axes.front()).extent) continue;
    std::vector<ExprId> values;
    std::vector<Destination> filled;
    for (const Yield& yield : row.yields) {
      values.push_back(yield.value);
      filled.push_back(yield.destination);
    }
    if (vector_width(pool, values) != reduce_lanes(pool.dtype(reduce->a))) continue;
    Substitution substitute(pool);
    substitute.replace(reduce->axes.front(), pool.index(axis));
    const ExprId roots[] = {substitute(reduce->a)};
    // What is being filled may be read only where it has been.
    const std::vector<ExprId> here = {pool.index(axis).id};
    const std::vector<ExprId> read = post_order(pool, roots);
    const bool follows = std::none_of(read.begin(), read.end(), [&](ExprId id) {
      const auto* local = std::get_if<Local>(&pool.node(id));
      const auto* load = std::get_if<Load>(&pool.node(id));
      return std::any_of(filled.begin(), filled.end(), [&](const Destination& destination) {
        const auto* to_local = std::get_if<ToLocal>(&destination);
        const auto* to_tensor = std::get_if<ToTensor>(&destination);
        if (local && to_local) return local->local == to_local->local && local->indices != here;
        return load && to_tensor && load->tensor == to_tensor->tensor;
      });
    });
    if (!follows) continue;
    const ExprId joined = pool.reduce(reduce->op, {axis}, pool.wrap(roots[0])).id;
    for (Yield& yield : sum.yields) yield.value = joined;
  }
}

bool joins(const Pool& pool, const Stage& row, const Stage& sum) {
  const Reduce* reduce = reduction(pool, sum);
  return reduce && reduce->op != ReduceOp::contract && reduce->axes == row.inner && !reduction(pool, row);
}

bool join_map(Pool& pool, std::vector<Stage>& stages, std::size_t sum) {
  if (sum + 1 >= stages.size() || stages[sum].yields.size() != 1) return false;
  const std::vector<AxisId> axes = stages[sum].inner;
  Stage& map = stages[sum + 1];
  const auto* to = std::get_if<ToLocal>(&stages[sum].yields.front().destination);
  if (!to || reduction(pool, map) || map.inner.size() != axes.size()) return false;
  const auto points = [&](std::span<const AxisId> inner) {
    std::vector<ExprId> indices;
    for (const AxisId axis : inner) indices.push_back(pool.index(axis).id);
    return indices;
  };
  if (to->indices != points(axes)) return false;
  Substitution substitute(pool);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (pool.axis(axes[i]).extent != pool.axis(map.inner[i]).extent) return false;
    substitute.replace(map.inner[i], pool.index(axes[i]));
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    for (const ExprId id : post_order(pool, values_of({&stages[i], 1}))) {
      const auto* local = std::get_if<Local>(&pool.node(id));
      const bool reads = local && local->local == to->local;
      if (reads && (i != sum + 1 || local->indices != points(map.inner))) return false;
    }
  }
  for (Yield& yield : map.yields) {
    yield.value = substitute(yield.value);
    substitute_indices(substitute, yield);
  }
  map.inner = axes;
  return true;
}

std::optional<std::int64_t> reduced_length(const Pool& pool, const Reduce& reduce) {
  Dim length = 1;
  for (const AxisId axis : reduce.axes) length = length * pool.axis(axis).extent;
  return length.as_constant();
}

Kernel merge_outer_axes(const Program& program, Kernel kernel) {
  Pool& pool = *program.pool;
  std::erase_if(kernel.outer, [&](AxisId axis) { return pool.axis(axis).extent == Dim(1); });
  if (kernel.outer.size() < 2) return kernel;
  std::size_t quotients = quotients_of(program, kernel).size();
  for (std::size_t first = kernel.outer.size() - 1; first-- > 0;) {
    Kernel merged = kernel;
    merge_pair(pool, merged.outer, first, merged.stages);
    const std::size_t after = quotients_of(program, merged).size();
    if (after > quotients) continue;
    kernel = std::move(merged);
    quotients = after;
  }
  return kernel;
}

void merge_inner_axes(const Program& program, std::span<const LocalInfo> locals, std::vector<Stage>& stages) {
  Pool& pool = *program.pool;
  for (Stage& stage : stages) {
    if (reduction(pool, stage)) continue;
    std::erase_if(stage.inner, [&](AxisId axis) { return pool.axis(axis).extent == Dim(1); });
    const auto quotients = [&](const Stage& one) { return quotients_of(program, locals, {&one, 1}, one.inner).size(); };
    for (std::size_t first = stage.inner.size(); first-- > 1;) {
      Stage merged = stage;
      merge_pair(pool, merged.inner, first - 1, {&merged, 1});
      if (quotients(merged) <= quotients(stage)) stage = std::move(merged);
    }
  }
}

Kernel split_axes(Pool& pool, Kernel kernel, const std::map<AxisId, std::int64_t>& runs, RunOrder order) {
  if (runs.empty()) return kernel;
  struct Parts {
    AxisId run;
    AxisId within;
  };
  std::map<AxisId, Parts> parts;
  Substitution substitute(pool);
  for (const auto& [axis, length] : runs) {
    const AxisInfo whole = pool.axis(axis);
    const Parts made{pool.make_axis(Dim(whole.extent.constant() / length), whole.name + "_run"),
                     pool.make_axis(length, whole.name)};
    parts.emplace(axis, made);
    substitute.replace(axis, pool.index(made.run) * pool.extent(length) + pool.index(made.within));
  }
  const auto in_place = [&](const std::vector<AxisId>& axes) {
    std::vector<AxisId> out;
    for (const AxisId axis : axes) {
      const auto found = parts.find(axis);
      if (found != parts.end()) out.push_back(found->second.run);
      out.push_back(found != parts.end() ? found->second.within : axis);
    }
    return out;
  };
  kernel.outer = in_place(kernel.outer);
  if (order == RunOrder::outermost) {
    std::stable_partition(kernel.outer.begin(), kernel.outer.end(), [&](AxisId axis) {
      return std::any_of(parts.begin(), parts.end(), [&](const auto& part) { return part.second.run == axis; });
    });
  }
  for (Stage& stage : kernel.stages) {
    stage.inner = in_place(stage.inner);
    for (Yield& yield : stage.yields) {
      if (const auto* found = std::get_if<Reduce>(&pool.node(yield.value))) {
        const Reduce reduce = *found;
        const Expr a = pool.wrap(substitute(reduce.a));
        std::optional<Expr> b;
        if (reduce.op == ReduceOp::contract) b = pool.wrap(substitute(reduce.b));
        yield.value = pool.reduce(reduce.op, in_place(reduce.axes), a, b).id;
      } else {
        yield.value = substitute(yield.value);
      }
      substitute_indices(substitute, yield);
    }
  }
  return kernel;
}

Kernel split_outer_axes(const Program& program, Kernel kernel) {
  Pool& pool = *program.pool;
  const bool contracts = std::any_of(kernel.stages.begin(), kernel.stages.end(), [&](const Stage& stage) {
    const Reduce* reduce = reduction(pool, stage);
    return reduce && reduce->op == ReduceOp::contract;
  });
  const RunOrder order = contracts ? RunOrder::outermost : RunOrder::in_place;
  std::vector<ExprId> quotients = quotients_of(program, kernel);
  for (std::size_t next = 0; next < quotients.size(); ++next) {
    const auto& quotient = std::get<Binary>(pool.node(quotients[next]));
    const auto* axis = std::get_if<AxisIndex>(&pool.node(quotient.a));
    const auto* length = std::get_if<Extent>(&pool.node(quotient.b));
    if (!axis || !length || !length->dim.is_constant()) continue;
    const auto extent = pool.axis(axis->axis).extent.as_constant();
    const std::int64_t run = length->dim.constant();
    const bool is_outer = std::find(kernel.outer.begin(), kernel.outer.end(), axis->axis) != kernel.outer.end();
    if (!is_outer || !extent || run <= 0 || *extent == 0 || *extent % run != 0) continue;
    Kernel split = split_axes(pool, kernel, {{axis->axis, run}}, order);
    std::vector<ExprId> left = quotients_of(program, split);
    if (left.size() >= quotients.size()) continue;
    kernel = std::move(split);
    quotients = std::move(left);
    next = static_cast<std::size_t>(-1);
  }
  return kernel;
}

}  // namespace lathe
