// Kernel functions: expressions.
#include <algorithm>

#include <fmt/format.h>

#include <lathe/codegen/llvm/kernel.h>
#include <lathe/graph/error.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

/// Emits one node; operands come through value() and so are shared. Their order is not left to whatever compiles this:
/// a condition that comes first occupies a register for as long as what it chooses from takes.
struct KernelEmitter::Evaluate {
  KernelEmitter& k;
  ExprId id;
  DType dtype;
  bool vector;  // it varies along the column axis

  /// An operand in the form that the result has.
  llvm::Value* in(ExprId operand) const { return vector ? k.vector(operand) : k.value(operand); }
  DType type_of(ExprId operand) const { return k.pool().dtype(operand); }

  llvm::Value* operator()(const Constant& e) const {
    llvm::Type* type = k.module.type(dtype);
    const unsigned bits = static_cast<unsigned>(type->getScalarSizeInBits());
    llvm::Constant* integer = llvm::ConstantInt::get(k.module.context, llvm::APInt(bits, e.bits));
    return is_float(dtype) ? llvm::ConstantExpr::getBitCast(integer, type) : integer;
  }
  llvm::Value* operator()(const AxisIndex& e) const { return k.axis_index(e.axis); }
  llvm::Value* operator()(const Extent& e) const { return k.dim(e.dim); }
  llvm::Value* operator()(const Load&) const { return k.load(id); }
  llvm::Value* operator()(const Local& e) const {
    return k.rows_.contains(e.local) ? k.load(id) : k.get_register(e.local, k.row_, k.column_);
  }
  llvm::Value* operator()(const Unary& e) const { return k.arithmetic_.unary(e.op, dtype, in(e.a)); }
  llvm::Value* operator()(const Binary& e) const {
    const bool divides = e.op == BinaryOp::floor_div || e.op == BinaryOp::mod;
    const bool index = divides && dtype == i64 && k.accesses_.non_negative(e.a) && k.accesses_.non_negative(e.b);
    llvm::Value* second = in(e.b);
    return k.arithmetic_.binary(e.op, type_of(e.a), in(e.a), second, index);
  }
  llvm::Value* operator()(const Select& e) const {
    if (k.is_piecewise(id)) return k.select_piece(e);
    llvm::Value* otherwise = in(e.b);
    if (e.lazy && !k.in_entry_) return k.select_lazily(e, otherwise, [&] { return in(e.a); });
    llvm::Value* then = in(e.a);
    return k.b.CreateSelect(k.value(e.condition), then, otherwise);
  }
  llvm::Value* operator()(const Fma& e) const {
    llvm::Value* summand = in(e.c);
    llvm::Value* factor = in(e.b);
    return k.arithmetic_.fma(dtype, in(e.a), factor, summand);
  }
  llvm::Value* operator()(const Cast& e) const { return k.arithmetic_.cast(type_of(e.a), e.to, in(e.a)); }
  llvm::Value* operator()(const Bitcast& e) const { return k.arithmetic_.bitcast(e.to, in(e.a)); }
  llvm::Value* operator()(const Lookup&) const { return k.lookup(id); }
  llvm::Value* operator()(const Reduce&) const {
    ensure(false, "a reduction stands inside an expression");
    return nullptr;
  }
  llvm::Value* operator()(const Check& e) const {
    k.test(id);
    return k.value(e.value);
  }
};

llvm::Value* KernelEmitter::value(ExprId id) {
  const ExprNode& node = pool().node(id);
  if (std::holds_alternative<Constant>(node) || std::holds_alternative<Extent>(node)) {
    return std::visit(Evaluate{*this, id, pool().dtype(id), false}, node);
  }
  const auto* local = std::get_if<Local>(&node);
  if (local && !rows_.contains(local->local)) return get_register(local->local, row_, column_);
  const Key value_key = key(id, Form::value);
  if (llvm::Value* found = known(value_key)) return found;
  if (const Packed* packed = find_packed(id)) {
    llvm::Value* loaded = load_packed(*packed);
    remember(value_key, loaded, false);
    return loaded;
  }
  if (!in_entry_ && is_fixed(id)) {
    // The same for the whole kernel: once, before all loops.
    in_entry_ = true;
    llvm::Value* made = in_entry([&] { return compute(id); });
    in_entry_ = false;
    scopes_.front()[value_key] = {made, false};
    return made;
  }
  llvm::Value* made = compute(id);
  auto& scope = in_entry_ ? scopes_.front() : scopes_.back();
  scope[value_key] = {made, accesses_.facts(id).reads_stored};
  return made;
}

llvm::Value* KernelEmitter::compute(ExprId id) {
  if (const auto linear = accesses_.linear(id)) return sum(*linear);
  const ExprNode& node = pool().node(id);
  return std::visit(Evaluate{*this, id, pool().dtype(id), varies(id)}, node);
}

/// Whether a Select on indices takes what is loaded in a run of columns, and something else around that.
bool KernelEmitter::is_piecewise(ExprId id) {
  const auto* choice = std::get_if<Select>(&pool().node(id));
  if (!choice || choice->lazy || !in_pieces_ || in_entry_ || !space_.column || space_.mask) return false;
  const auto loads = [&](ExprId arm) { return std::holds_alternative<Load>(pool().node(arm)); };
  if (!varies(choice->condition) || !(loads(choice->a) || loads(choice->b))) return false;
  // A run: where comparisons with what grows, or falls, along the columns hold all at once.
  std::vector<ExprId> parts = {choice->condition};
  while (!parts.empty()) {
    const auto* part = std::get_if<Binary>(&pool().node(parts.back()));
    parts.pop_back();
    if (!part) return false;
    if (part->op == BinaryOp::bit_and) {
      parts.insert(parts.end(), {part->a, part->b});
      continue;
    }
    const bool compares =
        part->op == BinaryOp::lt || part->op == BinaryOp::le || part->op == BinaryOp::gt || part->op == BinaryOp::ge;
    if (!compares || pool().dtype(part->a) != i64 || varies(part->b)) return false;
    if (std::holds_alternative<AxisIndex>(pool().node(part->a))) continue;
    const std::optional<Affine> left = accesses_.linear(part->a);
    if (!left) return false;
    for (const auto& [atom, coefficient] : left->terms) {
      if (varies(atom) && !std::holds_alternative<AxisIndex>(pool().node(atom))) return false;
    }
  }
  return true;
}

/// Most vectors lie within one piece: then only that is computed.
llvm::Value* KernelEmitter::select_piece(const Select& e) {
  llvm::Value* first = at_lane(0, e.condition);
  llvm::Value* last = at_lane(space_.width - 1, e.condition);
  llvm::Value* inside = b.CreateAnd(first, last);
  // Of several comparisons at once some lane between the ends may fulfil all.
  const auto* both = std::get_if<Binary>(&pool().node(e.condition));
  llvm::Value* outside =
      both->op == BinaryOp::bit_and ? static_cast<llvm::Value*>(b.getFalse()) : b.CreateNot(b.CreateOr(first, last));
  llvm::Value* nothing = llvm::PoisonValue::get(
      llvm::FixedVectorType::get(module.type(pool().dtype(e.a)), static_cast<unsigned>(space_.width)));
  const Carried other = when(outside, nothing, [&] { return Carried{vector(e.b)}; });
  const Carried piece = when(inside, other, [&] { return Carried{vector(e.a)}; });
  return when(b.CreateNot(b.CreateOr(inside, outside)), piece,
              [&] {
                in_pieces_ = false;
                llvm::Value* otherwise = vector(e.b);
                llvm::Value* then = vector(e.a);
                llvm::Value* made = b.CreateSelect(value(e.condition), then, otherwise);
                in_pieces_ = true;
                return Carried{made};
              })
      .front();
}

/// Computes what lanes select in code of its own, which is passed by where none does.
llvm::Value* KernelEmitter::select_lazily(const Select& e, llvm::Value* otherwise,
                                          llvm::function_ref<llvm::Value*()> then) {
  llvm::Value* condition = value(e.condition);
  llvm::Value* any = condition;
  if (any->getType()->isVectorTy()) {
    any = b.CreateIsNotNull(b.CreateBitCast(any, b.getIntNTy(static_cast<unsigned>(space_.width))));
  }
  if (!is_of_indices(pool(), e.condition)) {
    any = b.CreateIntrinsic(llvm::Intrinsic::expect, {b.getInt1Ty()}, {any, b.getFalse()});
  }
  return when(any, otherwise, [&] { return Carried{b.CreateSelect(condition, then(), otherwise)}; }).front();
}

llvm::Value* KernelEmitter::axis_index(AxisId axis) {
  const auto found = axes_.find(axis);
  ensure(found != axes_.end(), fmt::format("axis '{}' is used outside its loop", pool().axis(axis).name));
  llvm::Value* index = found->second;
  if (space_.row == axis) return b.CreateNSWAdd(index, number(row_));
  if (space_.column != axis) return index;
  llvm::Value* first = b.CreateNSWAdd(index, number(std::int64_t{column_} * space_.width));
  return b.CreateAdd(splat(first), lane_offsets(1));
}

// step * (0, 1, 2, ...)
llvm::Value* KernelEmitter::lane_offsets(const Dim& step) {
  const auto constant = step.as_constant();
  llvm::SmallVector<llvm::Constant*> lanes;
  for (int lane = 0; lane < space_.width; ++lane) lanes.push_back(number(lane * constant.value_or(1)));
  llvm::Constant* offsets = llvm::ConstantVector::get(lanes);
  return constant ? offsets : b.CreateMul(offsets, splat(dim(step)));
}

llvm::Value* KernelEmitter::sum(const Affine& affine) {
  llvm::Value* total = dim(affine.constant);
  const auto add = [&](llvm::Value* term) {
    const bool wide = total->getType()->isVectorTy() || term->getType()->isVectorTy();
    if (wide && !total->getType()->isVectorTy()) total = splat(total);
    total = b.CreateAdd(total, wide && !term->getType()->isVectorTy() ? splat(term) : term);
  };
  for (const auto& [atom, coefficient] : affine.terms) {
    llvm::Value* factor = dim(coefficient);
    llvm::Value* term = value(atom);
    add(b.CreateMul(term, term->getType()->isVectorTy() ? splat(factor) : factor));
  }
  return total;
}

void KernelEmitter::test(ExprId id) {
  if (!tests_) return;
  const Check check = std::get<Check>(pool().node(id));
  Key tested = key(check.condition, Form::tested);
  tested.id = id;
  if (known(tested)) return;
  llvm::Value* holds = value(check.condition);
  llvm::Value* failed = b.CreateNot(holds);
  const bool lanes = failed->getType()->isVectorTy();
  llvm::Value* any = failed;
  if (lanes) {
    if (space_.mask) failed = b.CreateAnd(failed, space_.mask);
    failed = b.CreateBitCast(failed, b.getIntNTy(static_cast<unsigned>(space_.width)));
    any = b.CreateIsNotNull(failed);
  }
  any = b.CreateIntrinsic(llvm::Intrinsic::expect, {b.getInt1Ty()}, {any, b.getFalse()});
  when(any, {}, [&] {
    llvm::Value* lane = b.getInt64(0);
    if (lanes) {
      llvm::Value* first = b.CreateBinaryIntrinsic(llvm::Intrinsic::cttz, failed, b.getTrue());
      lane = b.CreateZExt(first, b.getInt64Ty());
    }
    const auto scalar = [&](ExprId id) {
      llvm::Value* made = value(id);
      return made->getType()->isVectorTy() ? b.CreateExtractElement(made, lane) : made;
    };
    report(number(static_cast<std::int64_t>(check.check)), scalar(check.index), scalar(check.detail));
    return Carried{};
  });
  remember(tested, holds, accesses_.facts(check.condition).reads_stored);
}

void KernelEmitter::test_rows(std::span<const ExprId> roots, AxisId column) {
  for (const ExprId id : post_order(pool(), roots)) {
    const auto* check = std::get_if<Check>(&pool().node(id));
    if (!check) continue;
    const ExprId parts[] = {check->condition, check->index, check->detail};
    const bool fixed = std::none_of(std::begin(parts), std::end(parts), [&](ExprId part) {
      return accesses_.varies(part, column) || accesses_.facts(part).reads_stored;
    });
    if (!fixed) continue;
    for (row_ = 0; row_ < space_.rows; ++row_) test(id);
    row_ = 0;
  }
}

}  // namespace lathe::emit
