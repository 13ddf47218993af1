#include <lathe/codegen/merge.h>

#include <unordered_set>

#include <fmt/format.h>

#include <lathe/codegen/access.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// How many divisions and remainders along outer axes the kernel would compute.
std::size_t count_quotients(const Program& program, const Kernel& kernel) {
  Accesses accesses(program, kernel.locals, kernel.stages);
  std::unordered_set<ExprId> seen;
  std::vector<ExprId> stack;
  for (const Stage& stage : kernel.stages) {
    for (const Yield& yield : stage.yields) {
      stack.push_back(yield.value);
      stack.push_back(accesses.target(yield));
    }
  }
  std::size_t quotients = 0;
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
    if (divides && accesses.varies(id, kernel.outer)) ++quotients;
    for (const ExprId operand : accesses.pool().operands(id)) stack.push_back(operand);
  }
  return quotients;
}

Kernel merge_pair(Pool& pool, const Kernel& kernel, std::size_t first) {
  const AxisId a = kernel.outer[first];
  const AxisId b = kernel.outer[first + 1];
  const Dim inner = pool.axis(b).extent;
  const AxisId both =
      pool.make_axis(pool.axis(a).extent * inner, fmt::format("{}{}", pool.axis(a).name, pool.axis(b).name));
  Substitution substitute(pool);
  substitute.replace(a, floor_div(pool.index(both), pool.extent(inner)));
  substitute.replace(b, mod(pool.index(both), pool.extent(inner)));
  Kernel merged = kernel;
  merged.outer[first] = both;
  merged.outer.erase(merged.outer.begin() + static_cast<std::ptrdiff_t>(first) + 1);
  for (Stage& stage : merged.stages) {
    for (Yield& yield : stage.yields) {
      yield.value = substitute(yield.value);
      std::visit(
          [&](auto& to) {
            for (ExprId& index : to.indices) index = substitute(index);
          },
          yield.destination);
    }
  }
  return merged;
}

}  // namespace

Kernel merge_outer_axes(const Program& program, Kernel kernel) {
  Pool& pool = *program.pool;
  std::erase_if(kernel.outer, [&](AxisId axis) { return pool.axis(axis).extent == Dim(1); });
  if (kernel.outer.size() < 2) return kernel;
  std::size_t quotients = count_quotients(program, kernel);
  for (std::size_t first = kernel.outer.size() - 1; first-- > 0;) {
    Kernel merged = merge_pair(pool, kernel, first);
    const std::size_t after = count_quotients(program, merged);
    if (after > quotients) continue;
    kernel = std::move(merged);
    quotients = after;
  }
  return kernel;
}

}  // namespace lathe
