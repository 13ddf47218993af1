// Kernel functions: where accesses land, loads and stores.
#include <algorithm>

#include <lathe/codegen/llvm/kernel.h>
#include <lathe/graph/error.h>

namespace lathe::emit {

/// Of lanes that are loaded in whole vectors with what lies between them: from further apart a gather takes no longer.
constexpr int most_step = 4;

using namespace loop;  // the expression vocabulary is used throughout

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

  // Terms of outer loops first: where they lead stays put while inner loops run.
  std::vector<std::pair<int, std::pair<ExprId, Dim>>> terms;
  for (const auto& term : flat.terms) {
    const auto* index = std::get_if<AxisIndex>(&pool().node(term.first));
    if (!index && varies(term.first)) continue;
    int depth = 0;
    for (const AxisId axis : accesses_.facts(term.first).axes) depth = std::max(depth, depths_[axis]);
    terms.emplace_back(depth, term);
  }
  std::stable_sort(terms.begin(), terms.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
  llvm::Type* element = module.memory_type(pool().dtype(access));
  llvm::Value* pointer = nullptr;
  Dim step = 1;
  if (const auto* load = std::get_if<Load>(&pool().node(access))) {
    pointer = tensor(load->tensor);
  } else {
    const LocalRow& row = rows_.at(std::get<Local>(pool().node(access)).local);
    pointer = row.memory;
    step = row.step;
    if (row.axis) pointer = b.CreateGEP(element, pointer, times(scratch_row_, number(row.row_step)));
  }
  if (flat.constant != Dim(0)) pointer = b.CreateGEP(element, pointer, dim(flat.constant * step));
  for (const auto& [depth, term] : terms) {
    const auto* index = std::get_if<AxisIndex>(&pool().node(term.first));
    llvm::Value* factor = index ? axes_.at(index->axis) : value(term.first);
    pointer = b.CreateGEP(element, pointer, times(factor, dim(term.second * step)));
  }
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
    llvm::Value* lanes = vector(atom);  // a checked index may be one for all
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
    const std::int64_t step = column_step.as_constant().value_or(0);
    if (out.offsets && std::abs(step) <= most_step) out.step = static_cast<int>(step);
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
  if (binary && binary->op == BinaryOp::floor_div && !varies(binary->b)) {
    const auto* divisor = std::get_if<Extent>(&pool().node(binary->b));
    return divisor && divisor->dim.as_constant().value_or(0) >= space_.width / 2 && slides(binary->a);
  }
  const Affine sum = affine(pool(), id);
  const bool is_sum =
      std::none_of(sum.terms.begin(), sum.terms.end(), [&](const auto& term) { return term.first == id; });
  return is_sum && slides(sum, 1);
}

bool KernelEmitter::slides(const Affine& sum, std::int64_t most) {
  int varying = 0;
  for (const auto& [atom, coefficient] : sum.terms) {
    if (!varies(atom)) continue;
    const std::int64_t step = coefficient.as_constant().value_or(0);
    if (++varying > 1 || step < 1 || step > most || !slides(atom)) return false;
  }
  return true;
}

/// What a value that takes no more than indices is in one lane of the current vector.
llvm::Value* KernelEmitter::at_lane(int lane, ExprId id) {
  const AxisId column = *space_.column;
  const int row = row_;
  llvm::Value* index = b.CreateNSWAdd(bound(column), number(std::int64_t{column_} * space_.width + lane));
  Space one = space_;
  one.column.reset();
  one.width = one.vectors = 1;
  one.mask = nullptr;
  llvm::Value* made = nullptr;
  elsewhere(one, [&] {
    row_ = row;
    bind(column, index);
    made = value(id);
  });
  return made;
}

/// A load whose index slides: the lanes of most vectors of it lie side by side, or a few elements apart, or all in one
/// place, or in two.
llvm::Value* KernelEmitter::load_sliding(ExprId access) {
  const int width = space_.width;
  const DType dtype = pool().dtype(access);
  llvm::Type* element = module.memory_type(dtype);
  // All but the index is the same for all lanes.
  const Affine& flat = accesses_.flat(access);
  llvm::Value* start = first_element(access, flat);
  ExprId index{};
  int apart = 1;
  for (const auto& [atom, step] : flat.terms) {
    const auto* axis = std::get_if<AxisIndex>(&pool().node(atom));
    if (axis && space_.row == axis->axis) start = b.CreateInBoundsGEP(element, start, dim(step * Dim(row_)));
    if (!varies(atom)) continue;
    index = atom;
    apart = static_cast<int>(*step.as_constant());
  }
  llvm::Value* first = at_lane(0, index);
  llvm::Value* distance = b.CreateNSWSub(at_lane(width - 1, index), first);
  llvm::Value* runs = b.CreateICmpEQ(distance, number(width - 1));
  llvm::Value* rests = b.CreateICmpEQ(distance, number(0));
  llvm::Value* pointer = b.CreateInBoundsGEP(element, start, b.CreateNSWMul(first, number(apart)));
  const Place side_by_side{pointer, dtype, apart == 1, apart == 1 ? nullptr : lane_offsets(apart), apart};
  llvm::Value* alike = splat(b.CreateAlignedLoad(element, pointer, llvm::Align(size_of(dtype))));
  const auto from = [&](const Place& place) { return Carried{load_from(place, access)}; };
  const Carried simple = when(runs, alike, [&] { return from(side_by_side); });
  llvm::Value* neither = b.CreateNot(b.CreateOr(runs, rests));
  return when(neither, simple,
              [&] {
                if (space_.mask) return from(place(access));  // there may be nothing where its last lane is
                llvm::Value* second = b.CreateInBoundsGEP(element, pointer, b.CreateNSWMul(distance, number(apart)));
                llvm::Value* other = splat(b.CreateAlignedLoad(element, second, llvm::Align(size_of(dtype))));
                llvm::Value* is_first = b.CreateICmpEQ(value(index), splat(first));
                llvm::Value* more = b.CreateICmpNE(distance, number(1));
                return when(more, b.CreateSelect(is_first, alike, other), [&] { return from(place(access)); });
              })
      .front();
}

llvm::Value* KernelEmitter::load(ExprId access) {
  const Affine& flat = accesses_.flat(access);
  const bool computed = std::any_of(flat.terms.begin(), flat.terms.end(), [&](const auto& term) {
    return varies(term.first) && !std::holds_alternative<AxisIndex>(pool().node(term.first));
  });
  const auto* local = std::get_if<Local>(&pool().node(access));
  const LocalRow* row = local ? &rows_.at(local->local) : nullptr;
  const bool in_row = !row || (!row->axis && row->step == 1);
  const bool slide = computed && in_row && slides(flat, most_step);
  const auto simply = [&] {
    Place at = place(access);
    if (!varies(access)) at = {at.pointer, at.dtype, false, nullptr};  // a row's lanes may all be the same
    return load_from(at, access);
  };
  llvm::Value* loaded = slide ? load_sliding(access) : simply();
  return pool().dtype(access) == boolean ? b.CreateIsNotNull(loaded) : loaded;
}

/// A vector whose lanes lie a few elements apart: from whole vectors of what lies between the first lane and the last.
llvm::Value* KernelEmitter::load_in_steps(const Place& at, ExprId access) {
  llvm::Type* element = module.memory_type(at.dtype);
  const int width = space_.width;
  auto* type = llvm::FixedVectorType::get(element, static_cast<unsigned>(width));
  const int last = (width - 1) * std::abs(at.step);  // from the lane that comes first in memory
  llvm::Value* start = at.pointer;
  if (at.step < 0) start = b.CreateInBoundsGEP(element, start, number(-last));
  llvm::Value* lanes = nullptr;
  for (int begin = 0; begin <= last; begin += width) {
    const int from = std::min(begin, last + 1 - width);  // none reaches beyond the last lane
    llvm::Value* pointer = b.CreateInBoundsGEP(element, start, number(from));
    llvm::Value* loaded = annotate(b.CreateAlignedLoad(type, pointer, llvm::Align(size_of(at.dtype))), access);
    llvm::SmallVector<int> sources;
    for (int lane = 0; lane < width; ++lane) {
      const int place = (at.step < 0 ? width - 1 - lane : lane) * std::abs(at.step);
      const bool is_here = place >= begin && place < begin + width;
      sources.push_back(is_here ? width + place - from : lane);
    }
    lanes = b.CreateShuffleVector(lanes ? lanes : loaded, loaded, sources);
  }
  return lanes;
}

/// What lies at the place of an access, as memory has it.
llvm::Value* KernelEmitter::load_from(const Place& at, ExprId access) {
  llvm::Value* mask = covers_row(access) ? nullptr : space_.mask;
  llvm::Type* element = module.memory_type(at.dtype);
  const llvm::Align align(size_of(at.dtype));
  llvm::Value* loaded = nullptr;
  if (!at.contiguous && !at.offsets) {
    loaded = annotate(b.CreateAlignedLoad(element, at.pointer, align), access);
  } else if (at.offsets && at.step != 0 && !mask) {
    loaded = load_in_steps(at, access);
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
