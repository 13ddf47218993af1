#include <lathe/codegen/access.h>

#include <algorithm>
#include <unordered_set>

#include <lathe/codegen/memory_plan.h>
#include <lathe/graph/error.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

void merge(std::vector<AxisId>& into, std::span<const AxisId> axes) {
  for (const AxisId axis : axes) {
    if (std::find(into.begin(), into.end(), axis) == into.end()) into.push_back(axis);
  }
}

bool is_quotient(const ExprNode& node) {
  const auto* binary = std::get_if<Binary>(&node);
  return binary && (binary->op == BinaryOp::floor_div || binary->op == BinaryOp::mod);
}

/// Relative cost of a node: one for what takes one instruction a vector.
int operations_of(const ExprNode& node, DType dtype) {
  const int wide = size_of(dtype) == 8 ? 2 : 1;
  if (std::holds_alternative<Constant>(node) || std::holds_alternative<Extent>(node)) return 0;
  if (std::holds_alternative<AxisIndex>(node)) return 0;
  if (const auto* binary = std::get_if<Binary>(&node)) {
    const bool divides =
        binary->op == BinaryOp::div || binary->op == BinaryOp::floor_div || binary->op == BinaryOp::mod;
    return wide * (divides ? 8 : 1);
  }
  if (const auto* unary = std::get_if<Unary>(&node)) return wide * (unary->op == UnaryOp::sqrt ? 8 : 1);
  return wide;
}

}  // namespace

Accesses::Accesses(const Program& program, std::span<const LocalInfo> locals, std::span<const Stage> stages)
    : program_(program), locals_(locals.begin(), locals.end()) {
  for (const Stage& stage : stages) {
    for (const Yield& yield : stage.yields) {
      if (const auto* to = std::get_if<ToTensor>(&yield.destination)) stored_.push_back(to->tensor);
    }
  }
  for (const Stage& stage : stages) {
    for (const Yield& yield : stage.yields) {
      const auto* to = std::get_if<ToLocal>(&yield.destination);
      if (!to) continue;
      std::vector<AxisId> axes = facts(yield.value).axes;
      std::erase_if(axes, [&](AxisId axis) {
        return std::find(stage.inner.begin(), stage.inner.end(), axis) != stage.inner.end();
      });
      merge(local_axes_[to->local], axes);
    }
  }
}

bool Accesses::stored(TensorId tensor) const {
  const auto same_place = [&](TensorId other) {
    if (other == tensor) return true;
    const ProgramTensor& a = program_.tensor(tensor);
    const ProgramTensor& b = program_.tensor(other);
    return a.role == Role::arena && b.role == Role::arena && a.arena_offset_bytes == b.arena_offset_bytes;
  };
  return std::any_of(stored_.begin(), stored_.end(), same_place);
}

const Accesses::Facts& Accesses::facts(ExprId id) {
  if (const auto found = facts_.find(id); found != facts_.end()) return found->second;
  Facts made = find_facts(id);
  return facts_.emplace(id, std::move(made)).first->second;
}

Accesses::Facts Accesses::find_facts(ExprId id) {
  const ExprNode& node = pool().node(id);
  Facts out;
  const std::vector<ExprId> operands = parts(id);
  if (const auto* index = std::get_if<AxisIndex>(&node)) out.axes.push_back(index->axis);
  for (const ExprId operand : operands) {
    const Facts& in = facts(operand);
    merge(out.axes, in.axes);
    out.reads_local |= in.reads_local;
    out.reads_stored |= in.reads_stored;
    out.always_safe &= in.always_safe;
  }
  if (const auto* load = std::get_if<Load>(&node)) {
    out.reads_stored |= stored(load->tensor);
    const auto count = element_count(program_.tensor(load->tensor).type.shape).as_constant();
    out.always_safe &= count.has_value() && *count > 0 && operands.empty();
  } else if (const auto* local = std::get_if<Local>(&node)) {
    out.reads_local = out.reads_stored = true;
    out.always_safe = false;
    merge(out.axes, local_axes_[local->local]);
  } else if (std::holds_alternative<Check>(node)) {
    out.always_safe = false;
  } else if (const auto* reduce = std::get_if<Reduce>(&node)) {
    out.always_safe = false;
    std::erase_if(out.axes, [&](AxisId axis) {
      return std::find(reduce->axes.begin(), reduce->axes.end(), axis) != reduce->axes.end();
    });
  }
  return out;
}

/// What code computes to get `id`: its operands; of an access what its address depends on.
std::vector<ExprId> Accesses::parts(ExprId id) {
  const ExprNode& node = pool().node(id);
  std::vector<ExprId> out;
  if (std::holds_alternative<Load>(node) || std::holds_alternative<Local>(node)) {
    for (const auto& [atom, coefficient] : flat(id).terms) out.push_back(atom);
  } else if (const auto sum = linear(id)) {
    for (const auto& [atom, coefficient] : sum->terms) out.push_back(atom);
  } else {
    out = pool().operands(id);
  }
  return out;
}

int Accesses::operations(ExprId id) {
  std::unordered_set<ExprId> seen = {id};
  std::vector<ExprId> stack = {id};
  int sum = 0;
  while (!stack.empty()) {
    const ExprId next = stack.back();
    stack.pop_back();
    sum += operations_of(pool().node(next), pool().dtype(next));
    const bool chooses = std::holds_alternative<Select>(pool().node(next));
    for (const ExprId part : chooses ? usual_operands(pool(), next) : parts(next)) {
      if (seen.insert(part).second) stack.push_back(part);
    }
  }
  return sum;
}

bool Accesses::varies(ExprId id, AxisId axis) {
  const std::vector<AxisId>& axes = facts(id).axes;
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

bool Accesses::varies(ExprId id, std::span<const AxisId> axes) {
  return std::any_of(axes.begin(), axes.end(), [&](AxisId axis) { return varies(id, axis); });
}

const Affine& Accesses::flat(ExprId access) {
  if (const auto found = flat_.find(access); found != flat_.end()) return found->second;
  const ExprNode node = pool().node(access);
  const auto* load = std::get_if<Load>(&node);
  const auto* local = std::get_if<Local>(&node);
  ensure(load || local, "only loads and locals have a place in memory");
  const Shape& shape =
      load ? program_.tensor(load->tensor).type.shape : locals_.at(static_cast<std::size_t>(local->local)).extents;
  const std::vector<ExprId>& indices = load ? load->indices : local->indices;
  ensure(indices.size() == shape.size(), "an access needs one index an axis");
  const Shape strides = row_major_strides(shape);
  Expr sum = pool().extent(0);
  for (std::size_t d = 0; d < indices.size(); ++d) sum = sum + pool().wrap(indices[d]) * pool().extent(strides[d]);
  return flat_.emplace(access, affine(pool(), sum.id)).first->second;
}

std::optional<Dim> Accesses::step(ExprId access, AxisId axis) {
  Dim step = 0;
  for (const auto& [atom, coefficient] : flat(access).terms) {
    if (const auto* index = std::get_if<AxisIndex>(&pool().node(atom))) {
      if (index->axis == axis) step = coefficient;
    } else if (varies(atom, axis)) {
      return std::nullopt;
    }
  }
  return step;
}

bool Accesses::contiguous(ExprId id, AxisId axis) {
  const ExprId roots[] = {id};
  const std::vector<ExprId> parts = post_order(pool(), roots);
  return std::all_of(parts.begin(), parts.end(), [&](ExprId part) {
    if (!std::holds_alternative<Load>(pool().node(part))) return true;
    const std::optional<Dim> step = this->step(part, axis);
    return step && (*step == Dim(0) || *step == Dim(1));
  });
}

bool Accesses::is_read(TensorId tensor, std::span<const ExprId> loads) const {
  return std::any_of(loads.begin(), loads.end(), [&](ExprId load) {
    const TensorId read = std::get<Load>(program_.pool->node(load)).tensor;
    return read == tensor || share_memory(program_.tensor(read), program_.tensor(tensor));
  });
}

ExprId Accesses::target(const Yield& yield) {
  const DType dtype = pool().dtype(yield.value);
  if (const auto* to = std::get_if<ToLocal>(&yield.destination)) return pool().local(to->local, dtype, to->indices).id;
  const auto& to = std::get<ToTensor>(yield.destination);
  return pool().load(to.tensor, dtype, to.indices).id;
}

std::optional<Affine> Accesses::linear(ExprId id) {
  if (pool().dtype(id) != i64) return std::nullopt;
  // Only sums with a quotient in them can get simpler; others may hold constants too large for exact coefficients.
  std::vector<ExprId> stack = {id};
  bool quotient = false;
  bool sum = false;
  while (!stack.empty()) {
    const ExprNode& node = pool().node(stack.back());
    stack.pop_back();
    const auto* binary = std::get_if<Binary>(&node);
    if (!binary) continue;
    quotient |= is_quotient(node);
    if (binary->op != BinaryOp::add && binary->op != BinaryOp::sub && binary->op != BinaryOp::mul) continue;
    sum = true;
    stack.push_back(binary->a);
    stack.push_back(binary->b);
  }
  if (!quotient || !sum) return std::nullopt;
  Affine out = affine(pool(), id);
  for (const auto& [atom, coefficient] : out.terms) {
    if (atom == id) return std::nullopt;
  }
  return out;
}

bool Accesses::non_negative(ExprId id) {
  const ExprNode& node = pool().node(id);
  if (std::holds_alternative<AxisIndex>(node)) return true;
  if (const auto* extent = std::get_if<Extent>(&node)) return never_negative(extent->dim);
  if (const auto* cast = std::get_if<Cast>(&node)) {
    const DType from = pool().dtype(cast->a);
    return from == u8 || from == boolean;
  }
  const auto* binary = std::get_if<Binary>(&node);
  if (!binary) return false;
  switch (binary->op) {
    case BinaryOp::add:
    case BinaryOp::mul:
    case BinaryOp::floor_div:
    case BinaryOp::mod: return non_negative(binary->a) && non_negative(binary->b);
    default: return false;
  }
}

}  // namespace lathe
