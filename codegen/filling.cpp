#include <lathe/codegen/filling.h>

#include <lathe/codegen/nest.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// In operations on single elements: more would not hide behind the sum.
constexpr int most_operations = 24;

/// Whether `access` reaches element `row * length + column` of its tensor.
bool is_matrix(Accesses& accesses, ExprId access, AxisId row, AxisId column, const Dim& length) {
  const Affine& flat = accesses.flat(access);
  return flat.constant == Dim(0) && flat.terms.size() == 2 && accesses.step(access, row) == length &&
         accesses.step(access, column) == Dim(1);
}

/// A map over a matrix, made of what no kernel stores.
std::optional<Filling> filling(const Program& program, const Kernel& producer) {
  const Pool& pool = *program.pool;
  const Kernel kernel = producer.outer.size() == 2 ? producer : merge_outer_axes(program, producer);
  if (kernel.outer.size() != 2 || kernel.stages.size() != 1) return std::nullopt;
  const Stage& stage = kernel.stages.front();
  if (!stage.inner.empty() || stage.yields.size() != 1 || reduction(pool, stage)) return std::nullopt;
  const auto* to = std::get_if<ToTensor>(&stage.yields.front().destination);
  if (!to || program.tensor(to->tensor).role != Role::arena) return std::nullopt;
  const ExprId value = stage.yields.front().value;
  // What the kernel after it stores may lie where the map finds what it reads in the arena.
  for (const ExprId load : loads_of(pool, {&value, 1})) {
    if (program.tensor(std::get<Load>(pool.node(load)).tensor).role == Role::arena) return std::nullopt;
  }
  const AxisId row = kernel.outer.front();
  const AxisId column = kernel.outer.back();
  Accesses accesses(program, kernel.locals, kernel.stages);
  const ExprId target = accesses.target(stage.yields.front());
  if (!is_matrix(accesses, target, row, column, pool.axis(column).extent)) return std::nullopt;
  if (accesses.facts(value).reads_local || accesses.facts(value).operations > most_operations) return std::nullopt;
  return Filling{value, to->tensor, row, column, {}};
}

}  // namespace

std::optional<Schedule> fill_rows(const Program& program, std::size_t index, const MachineModel& machine) {
  if (index + 1 >= program.steps.size()) return std::nullopt;
  const auto* producer = std::get_if<Kernel>(&program.steps[index]);
  const auto* kernel = std::get_if<Kernel>(&program.steps[index + 1]);
  if (!producer || !kernel) return std::nullopt;
  const Pool& pool = *program.pool;
  std::optional<Filling> fill = filling(program, *producer);
  if (!fill) return std::nullopt;
  Schedule made = schedule(program, *kernel, machine);
  const bool suits = made.form == Schedule::Form::tile && made.row && made.rows() > 1 && made.packed.empty() &&
                     !made.block && made.slice == 0;
  if (!suits || pool.axis(fill->row).extent != pool.axis(*made.row).extent) return std::nullopt;

  Accesses accesses(program, made.locals, made.stages);
  const Dim length = pool.axis(fill->column).extent;
  const Reduce* contraction = nullptr;
  for (const Stage& stage : made.stages) {
    std::vector<ExprId> roots;
    for (const Yield& yield : stage.yields) {
      roots.push_back(yield.value);
      const auto* to = std::get_if<ToTensor>(&yield.destination);
      if (to && program.tensor(to->tensor).role == Role::variable) return std::nullopt;
    }
    const Reduce* reduce = reduction(pool, stage);
    for (const ExprId load : loads_of(pool, roots)) {
      if (std::get<Load>(pool.node(load)).tensor != fill->tensor) continue;
      const bool operand = reduce && reduce->op == ReduceOp::contract && (load == reduce->a || load == reduce->b);
      if (!operand || contraction || reduce->axes.size() != 1) return std::nullopt;
      contraction = reduce;
      fill->operand = load;
    }
  }
  const bool whole = contraction && pool.axis(contraction->axes.front()).extent == length &&
                     reduced_length(pool, *contraction).value_or(contract_chunk + 1) <= contract_chunk &&
                     is_matrix(accesses, fill->operand, *made.row, contraction->axes.front(), length);
  if (!whole) return std::nullopt;
  made.filling = fill;
  made.work = made.work + schedule(program, *producer, machine).work;
  return made;
}

Schedule fill_rows_alone(const Program& program, Schedule filled) {
  const Filling& fill = *filled.filling;
  Accesses accesses(program, filled.locals, filled.stages);
  share_rows(accesses, filled, fill.operand, program.pool->axis(fill.column).extent.constant());
  return filled;
}

}  // namespace lathe
