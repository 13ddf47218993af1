// Kernel functions: expressions, their loads and stores.
#include <algorithm>

#include <fmt/format.h>
#include <llvm/IR/MDBuilder.h>

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
    llvm::Value* otherwise = in(e.b);
    if (e.seldom && !k.in_entry_) return k.select_seldom(e, otherwise, [&] { return in(e.a); });
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

/// Computes what is seldom selected in code of its own, which is passed by where no lane needs it.
llvm::Value* KernelEmitter::select_seldom(const Select& e, llvm::Value* usual,
                                          llvm::function_ref<llvm::Value*()> seldom) {
  llvm::Value* condition = value(e.condition);
  llvm::Value* any = condition;
  if (any->getType()->isVectorTy()) {
    any = b.CreateIsNotNull(b.CreateBitCast(any, b.getIntNTy(static_cast<unsigned>(space_.width))));
  }
  any = b.CreateIntrinsic(llvm::Intrinsic::expect, {b.getInt1Ty()}, {any, b.getFalse()});
  return when(any, usual, [&] { return Carried{b.CreateSelect(condition, seldom(), usual)}; }).front();
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

/// The address of an access at the space's first column; of its first row too unless what it depends on beyond the row
/// axis itself changes from row to row.
llvm::Value* KernelEmitter::first_element(ExprId access, const Affine& flat) {
  bool by_row = false;
  bool stale = false;
  for (const auto& [atom, coefficient] : flat.terms) {
    const Accesses::Facts& facts = accesses_.facts(atom);
    stale |= facts.reads_stored;
    if (std::holds_alternative<AxisIndex>(pool().node(atom))) continue;
    by_row |= space_.row && accesses_.varies(atom, *space_.row);
    by_row |= facts.reads_local;
  }
  const Key pointer_key = {access, by_row ? row_ : -1, -1, Form::pointer};
  if (llvm::Value* found = known(pointer_key)) return found;

  // Terms of outer loops first: their sum then stays put while inner loops run.
  std::vector<std::pair<int, std::pair<ExprId, Dim>>> terms;
  for (const auto& term : flat.terms) {
    const auto* index = std::get_if<AxisIndex>(&pool().node(term.first));
    if (!index && varies(term.first)) continue;
    int depth = 0;
    for (const AxisId axis : accesses_.facts(term.first).axes) depth = std::max(depth, depths_[axis]);
    terms.emplace_back(depth, term);
  }
  std::stable_sort(terms.begin(), terms.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
  llvm::Value* offset = dim(flat.constant);
  for (const auto& [depth, term] : terms) {
    const auto* index = std::get_if<AxisIndex>(&pool().node(term.first));
    llvm::Value* factor = index ? axes_.at(index->axis) : value(term.first);
    offset = b.CreateNSWAdd(offset, b.CreateNSWMul(factor, dim(term.second)));
  }

  llvm::Value* base = nullptr;
  llvm::Type* element = module.memory_type(pool().dtype(access));
  if (const auto* load = std::get_if<Load>(&pool().node(access))) {
    base = tensor(load->tensor);
  } else {
    const LocalRow& row = rows_.at(std::get<Local>(pool().node(access)).local);
    base = row.memory;
    offset = b.CreateNSWMul(offset, number(row.step));
    if (row.axis) offset = b.CreateNSWAdd(b.CreateNSWMul(scratch_row_, number(row.row_step)), offset);
  }
  llvm::Value* pointer = b.CreateInBoundsGEP(element, base, offset);
  remember(pointer_key, pointer, stale);
  return pointer;
}

KernelEmitter::Place KernelEmitter::place(ExprId access) {
  const Affine& flat = accesses_.flat(access);
  const DType dtype = pool().dtype(access);
  llvm::Type* element = module.memory_type(dtype);
  Place out{first_element(access, flat), dtype, false, nullptr};

  const auto* local = std::get_if<Local>(&pool().node(access));
  const LocalRow* row = local ? &rows_.at(local->local) : nullptr;
  Dim row_step = 0;
  Dim column_step = 0;
  llvm::Value* varying = nullptr;
  for (const auto& [atom, factor] : flat.terms) {
    const Dim coefficient = row ? factor * Dim(row->step) : factor;
    if (const auto* index = std::get_if<AxisIndex>(&pool().node(atom))) {
      if (space_.row == index->axis) row_step = coefficient;
      if (space_.column == index->axis) column_step = coefficient;
      continue;
    }
    if (!varies(atom)) continue;
    llvm::Value* lanes = value(atom);
    llvm::Value* term = b.CreateMul(lanes, splat(dim(coefficient)));
    varying = varying ? b.CreateAdd(varying, term) : term;
  }
  if (row && row->axis) {
    if (space_.row == row->axis) row_step = row_step + Dim(row->row_step);
    if (space_.column == row->axis) column_step = column_step + Dim(row->row_step);
  }
  const Dim shift = row_step * Dim(row_) + column_step * Dim(std::int64_t{column_} * space_.width);
  if (shift != Dim(0)) out.pointer = b.CreateInBoundsGEP(element, out.pointer, dim(shift));
  if (!varying) {
    out.contiguous = column_step == Dim(1);
    if (!out.contiguous && column_step != Dim(0)) out.offsets = lane_offsets(column_step);
    return out;
  }
  out.offsets = column_step == Dim(0) ? varying : b.CreateAdd(varying, lane_offsets(column_step));
  return out;
}

/// Whether vectors along the column run through a row of scratch from its first element on, or across its rows. There
/// is room for the lanes beyond the last one, and a load without a mask is given the value of the store before it, in
/// registers.
bool KernelEmitter::covers_row(ExprId access) {
  const auto* local = std::get_if<Local>(&pool().node(access));
  if (!local) return false;
  const LocalRow& row = rows_.at(local->local);
  if (row.axis && space_.column == row.axis) return row.row_step == 1;
  if (row.step != 1) return false;
  const Affine& flat = accesses_.flat(access);
  if (flat.constant != Dim(0) || flat.terms.size() != 1) return false;
  const auto& [atom, coefficient] = *flat.terms.begin();
  const auto* index = std::get_if<AxisIndex>(&pool().node(atom));
  return index && space_.column == index->axis && coefficient == Dim(1);
}

/// Whether an index grows by one or stays the same from lane to lane: one that is kept inside an axis, say.
bool KernelEmitter::slides(ExprId id) {
  if (!varies(id)) return true;
  const ExprNode& node = pool().node(id);
  if (std::holds_alternative<AxisIndex>(node)) return true;
  if (const auto* choice = std::get_if<Select>(&node)) {
    return !varies(choice->condition) && slides(choice->a) && slides(choice->b);
  }
  const auto* binary = std::get_if<Binary>(&node);
  if (binary && (binary->op == BinaryOp::min || binary->op == BinaryOp::max)) {
    return slides(binary->a) && slides(binary->b);
  }
  const Affine sum = affine(pool(), id);
  const bool is_sum =
      std::none_of(sum.terms.begin(), sum.terms.end(), [&](const auto& term) { return term.first == id; });
  return is_sum && slides(sum);
}

bool KernelEmitter::slides(const Affine& sum) {
  int varying = 0;
  for (const auto& [atom, coefficient] : sum.terms) {
    if (!varies(atom)) continue;
    if (++varying > 1 || coefficient != Dim(1) || !slides(atom)) return false;
  }
  return true;
}

/// A load whose index slides: most vectors of it lie side by side, or all lanes in one place.
llvm::Value* KernelEmitter::load_sliding(ExprId access) {
  const AxisId column = *space_.column;
  const int width = space_.width;
  const DType dtype = pool().dtype(access);
  llvm::Type* element = module.memory_type(dtype);
  // All but the index is the same for all lanes.
  const Affine& flat = accesses_.flat(access);
  llvm::Value* start = first_element(access, flat);
  ExprId index{};
  for (const auto& [atom, step] : flat.terms) {
    const auto* axis = std::get_if<AxisIndex>(&pool().node(atom));
    if (axis && space_.row == axis->axis) start = b.CreateInBoundsGEP(element, start, dim(step * Dim(row_)));
    if (varies(atom)) index = atom;
  }
  const int row = row_;
  llvm::Value* first_lane = b.CreateNSWAdd(bound(column), number(std::int64_t{column_} * width));
  Space one = space_;
  one.column.reset();
  one.width = one.vectors = 1;
  one.mask = nullptr;
  const auto index_at = [&](int lane) {
    llvm::Value* made = nullptr;
    elsewhere(one, [&] {
      row_ = row;
      bind(column, b.CreateNSWAdd(first_lane, number(lane)));
      made = value(index);
    });
    return made;
  };
  llvm::Value* first = index_at(0);
  llvm::Value* distance = b.CreateNSWSub(index_at(width - 1), first);
  llvm::Value* runs = b.CreateICmpEQ(distance, number(width - 1));
  llvm::Value* rests = b.CreateICmpEQ(distance, number(0));
  const Place side_by_side{b.CreateInBoundsGEP(element, start, first), dtype, true, nullptr};
  llvm::Value* alike = splat(b.CreateAlignedLoad(element, side_by_side.pointer, llvm::Align(size_of(dtype))));
  const auto from = [&](const Place& place) { return Carried{load_from(place, access)}; };
  const Carried simple = when(runs, alike, [&] { return from(side_by_side); });
  llvm::Value* neither = b.CreateNot(b.CreateOr(runs, rests));
  return when(neither, simple, [&] { return from(place(access)); }).front();
}

llvm::Value* KernelEmitter::load(ExprId access) {
  const Affine& flat = accesses_.flat(access);
  const bool computed = std::any_of(flat.terms.begin(), flat.terms.end(), [&](const auto& term) {
    return varies(term.first) && !std::holds_alternative<AxisIndex>(pool().node(term.first));
  });
  const bool slide = computed && std::holds_alternative<Load>(pool().node(access)) && slides(flat);
  llvm::Value* loaded = slide ? load_sliding(access) : load_from(place(access), access);
  return pool().dtype(access) == boolean ? b.CreateIsNotNull(loaded) : loaded;
}

/// What lies at the place of an access, as memory has it.
llvm::Value* KernelEmitter::load_from(const Place& at, ExprId access) {
  llvm::Value* mask = covers_row(access) ? nullptr : space_.mask;
  llvm::Type* element = module.memory_type(at.dtype);
  const llvm::Align align(size_of(at.dtype));
  llvm::Value* loaded = nullptr;
  if (!at.contiguous && !at.offsets) {
    loaded = annotate(b.CreateAlignedLoad(element, at.pointer, align), access);
  } else {
    auto* type = llvm::FixedVectorType::get(element, static_cast<unsigned>(space_.width));
    llvm::Constant* none = llvm::Constant::getNullValue(type);
    if (at.offsets) {
      // No machine gathers less than words, and lanes that each are tested before they are loaded take long: those that
      // are masked load what the first one does, which never is.
      const bool words = size_of(at.dtype) >= 4;
      llvm::Value* offsets = at.offsets;
      if (mask && !words) {
        offsets = b.CreateSelect(mask, offsets, splat(b.CreateExtractElement(offsets, b.getInt64(0))));
      }
      llvm::Value* pointers = b.CreateInBoundsGEP(element, at.pointer, offsets);
      loaded = annotate(b.CreateMaskedGather(type, pointers, align, words ? space_.mask : nullptr, none), access);
    } else if (mask) {
      loaded = annotate(b.CreateMaskedLoad(type, at.pointer, align, mask, none), access);
    } else {
      loaded = annotate(b.CreateAlignedLoad(type, at.pointer, align), access);
    }
  }
  return loaded;
}

void KernelEmitter::store(ExprId access, llvm::Value* value) {
  const Place at = place(access);
  llvm::Value* mask = covers_row(access) ? nullptr : space_.mask;
  llvm::Type* element = module.memory_type(at.dtype);
  const llvm::Align align(size_of(at.dtype));
  const bool lanes = at.contiguous || at.offsets;
  if (lanes && !value->getType()->isVectorTy()) value = splat(value);
  ensure(lanes || !value->getType()->isVectorTy(), "a value that varies along an axis is stored in one place");
  if (at.dtype == boolean) {
    llvm::Type* type = lanes ? llvm::FixedVectorType::get(element, static_cast<unsigned>(space_.width)) : element;
    value = b.CreateZExt(value, type);
  }
  if (at.offsets) {
    llvm::Value* pointers = b.CreateInBoundsGEP(element, at.pointer, at.offsets);
    annotate(b.CreateMaskedScatter(value, pointers, align, space_.mask), access);
  } else if (at.contiguous && mask) {
    annotate(b.CreateMaskedStore(value, at.pointer, align, mask), access);
  } else {
    annotate(b.CreateAlignedStore(value, at.pointer, align), access);
  }
}

}  // namespace lathe::emit
