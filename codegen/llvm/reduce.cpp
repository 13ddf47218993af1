// Kernel functions: reductions. Their order is part of their meaning; see loop/kernel.h.
#include <algorithm>
#include <utility>

#include <lathe/codegen/llvm/kernel.h>
#include <lathe/graph/error.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// The total of no sums: any sum added to it stays what it is, -0 too.
llvm::Constant* no_sum(DType dtype, llvm::Type* type) {
  return is_float(dtype) ? llvm::ConstantFP::getZero(type, true) : llvm::Constant::getNullValue(type);
}

}  // namespace

/// How many different results a reduction has in the space.
KernelEmitter::Points KernelEmitter::points_of(ExprId reduced) {
  const bool by_row = space_.row && (accesses_.varies(reduced, *space_.row) || accesses_.facts(reduced).reads_local);
  return {.rows = by_row ? space_.rows : 1, .vectors = varies(reduced) ? space_.vectors : 1};
}

Carried KernelEmitter::reduced(const Stage& stage, const Slice* slice, const Stage* row) {
  const ExprId id = stage.yields.front().value;
  const Reduce reduce = std::get<Reduce>(pool().node(id));
  const DType dtype = pool().dtype(id);
  const auto [rows, vectors] = points_of(id);
  if (reduce.op == ReduceOp::contract) return contract(reduce, dtype, rows, vectors, slice);
  if (varies(id)) return across_columns(reduce, dtype, rows, vectors);
  Carried results;
  for (row_ = 0; row_ < rows; ++row_) results.push_back(along_axis(reduce, dtype, row));
  row_ = 0;
  return results;
}

void KernelEmitter::deliver(const Stage& stage, llvm::ArrayRef<llvm::Value*> results) {
  const auto [rows, vectors] = points_of(stage.yields.front().value);
  for (row_ = 0; row_ < space_.rows; ++row_) {
    for (column_ = 0; column_ < space_.vectors; ++column_) {
      const int point = (rows > 1 ? row_ : 0) * vectors + (vectors > 1 ? column_ : 0);
      for (const Yield& yield : stage.yields) assign(yield, results[static_cast<std::size_t>(point)]);
    }
  }
  row_ = column_ = 0;
  forget_stored();
}

/// While a block of rows is worked on, asks for what the next one will read: for a part of it at every `elements`
/// indices of `last`, so that by the end all of it is on its way. The hardware's prefetchers follow few of the places
/// where that lies.
void KernelEmitter::prefetch_next_rows(ExprId access, AxisId last, int elements) {
  if (!space_.row || space_.rows == 1 || pool().axis(*space_.row).extent == Dim(space_.rows)) return;
  const std::optional<Dim> row = accesses_.step(access, *space_.row);
  const std::optional<Dim> along = accesses_.step(access, last);
  const auto bytes = static_cast<std::int64_t>(size_of(pool().dtype(access)));
  llvm::Type* element = module.memory_type(pool().dtype(access));
  if (row == Dim(1)) {
    prefetch(b.CreateGEP(element, first_element(access, accesses_.flat(access)), number(space_.rows)));
  } else if (along == Dim(1) && row == pool().axis(last).extent) {
    // One after the other, rows are a single run of memory, of which each index takes as many elements as there are
    // rows.
    llvm::Value* ahead = b.CreateNSWAdd(dim(*row * Dim(space_.rows)), times(bound(last), number(space_.rows - 1)));
    llvm::Value* from = b.CreateGEP(element, first_element(access, accesses_.flat(access)), ahead);
    for (std::int64_t at = 0; at < std::max<std::int64_t>(elements * space_.rows * bytes, 1); at += cache_line_bytes) {
      prefetch(b.CreateGEP(element, from, number(at / bytes)));
    }
  }
}

/// One chain of fused multiply-adds a point, all points in step; accumulators stay in registers.
Carried KernelEmitter::contract(const Reduce& reduce, DType dtype, int rows, int vectors, const Slice* slice) {
  const bool wide = space_.column && (varies(reduce.a) || varies(reduce.b));
  llvm::Value* zero = llvm::Constant::getNullValue(module.type(dtype));
  if (wide) zero = splat(zero);
  const Carried zeros(static_cast<std::size_t>(rows * vectors), zero);
  const auto step = [&](llvm::ArrayRef<llvm::Value*> accumulators) {
    for (const ExprId operand : {reduce.a, reduce.b}) {
      const bool broadcast = std::holds_alternative<Load>(pool().node(operand)) && !varies(operand);
      if (broadcast && !find_packed(operand)) prefetch_next_rows(operand, reduce.axes.back(), 1);
    }
    Carried out;
    for (row_ = 0; row_ < rows; ++row_) {
      for (column_ = 0; column_ < vectors; ++column_) {
        llvm::Value* a = wide ? vector(reduce.a) : value(reduce.a);
        llvm::Value* b = wide ? vector(reduce.b) : value(reduce.b);
        out.push_back(arithmetic_.fma(dtype, a, b, accumulators[out.size()]));
      }
    }
    row_ = column_ = 0;
    return out;
  };
  if (reduce.axes.empty()) return step(zeros);
  const AxisId first = reduce.axes.front();
  const auto rest = std::span(reduce.axes).subspan(1);
  const std::optional<Packed> block = find_block(reduce);
  const bool turns = turned_terms_ && (turned_terms_->operand == reduce.a || turned_terms_->operand == reduce.b);
  const auto along_last = [&](llvm::Value* begin, llvm::Value* end, llvm::ArrayRef<llvm::Value*> initial) {
    return block ? with_block(*block, begin, end, initial, step)
                 : with_turned_terms(reduce.axes.back(), begin, end, initial, step);
  };
  const auto part = [&](llvm::Value* begin, llvm::Value* end, llvm::ArrayRef<llvm::Value*> initial) {
    if ((block || turns) && rest.empty()) return along_last(begin, end, initial);
    return loop(begin, end, 1, initial, [&](llvm::Value* index, llvm::ArrayRef<llvm::Value*> accumulators) {
      bind(first, index);
      if (!block && !turns) return nest(rest, accumulators, step);
      return nest(rest.first(rest.size() - 1), accumulators, [&](llvm::ArrayRef<llvm::Value*> outer) {
        return along_last(number(0), extent(rest.back()), outer);
      });
    });
  };
  const auto chain = [&](llvm::Value* begin, llvm::Value* end, llvm::ArrayRef<llvm::Value*> initial) {
    if (space_.rows != interrupted_rows_) return part(begin, end, initial);
    llvm::Value* length = b.CreateNSWSub(end, begin);
    Carried both(initial);
    both.push_back(begin);
    both = loop(number(0), number(interrupted_rows_), 1, both,
                [&](llvm::Value* index, llvm::ArrayRef<llvm::Value*> carried) {
                  for (const Interruption& interruption : interruptions_) interruption.ahead(index);
                  llvm::Value* up_to = b.CreateNSWMul(length, b.CreateNSWAdd(index, number(1)));
                  up_to = b.CreateNSWAdd(begin, b.CreateUDiv(up_to, number(interrupted_rows_)));
                  Carried next = part(carried.back(), up_to, carried.drop_back());
                  for (const Interruption& interruption : interruptions_) interruption.after(index);
                  next.push_back(up_to);
                  return next;
                });
    both.pop_back();
    return both;
  };
  llvm::Value* end = extent(first);
  const auto constant = pool().axis(first).extent.as_constant();
  const bool one_chain = constant && *constant <= contract_chunk;
  if (slice) {
    return add_slice(*slice, dtype, zeros, one_chain,
                     [&](llvm::ArrayRef<llvm::Value*> initial) { return chain(slice->begin, slice->end, initial); });
  }
  if (one_chain) return chain(number(0), end, zeros);
  // One chain even if there is nothing to sum: interruptions count on it, and its zero is the result.
  llvm::Value* all = b.CreateBinaryIntrinsic(llvm::Intrinsic::smax, end, number(1));
  const Carried none(zeros.size(), no_sum(dtype, zero->getType()));
  return loop(number(0), all, contract_chunk, none, [&](llvm::Value* begin, llvm::ArrayRef<llvm::Value*> totals) {
    Carried sums = chain(begin, smaller(b.CreateNSWAdd(begin, number(contract_chunk)), end), zeros);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] = arithmetic_.binary(BinaryOp::add, dtype, totals[i], sums[i]);
    }
    return sums;
  });
}

/// Goes on with the chains in memory, or with new ones at every multiple of `contract_chunk`. Returns the totals.
Carried KernelEmitter::add_slice(const Slice& slice, DType dtype, const Carried& zeros, bool one_chain,
                                 llvm::function_ref<Carried(llvm::ArrayRef<llvm::Value*>)> chain) {
  llvm::Type* type = zeros.front()->getType();
  const int points = static_cast<int>(zeros.size());
  const auto load = [&](llvm::Value* at) { return b.CreateAlignedLoad(type, at, llvm::Align(size_of(dtype))); };
  const auto store = [&](llvm::Value* made, llvm::Value* at) {
    b.CreateAlignedStore(made, at, llvm::Align(size_of(dtype)));
  };
  const auto add = [&](llvm::Value* x, llvm::Value* y) { return arithmetic_.binary(BinaryOp::add, dtype, x, y); };
  llvm::Value* within = b.CreateAnd(slice.begin, number(contract_chunk - 1));
  llvm::Value* fresh = b.CreateICmpEQ(one_chain ? slice.begin : within, number(0));
  if (!one_chain) {
    when(b.CreateAnd(fresh, b.CreateICmpSGT(slice.begin, number(0))), {}, [&] {
      const Carried none(zeros.size(), no_sum(dtype, type));
      const Carried totals = when(b.CreateICmpSGT(slice.begin, number(contract_chunk)), none, [&] {
        Carried out;
        for (int i = 0; i < points; ++i) out.push_back(load(slice.total(i)));
        return out;
      });
      for (int i = 0; i < points; ++i) {
        store(add(totals[static_cast<std::size_t>(i)], load(slice.chain(i))), slice.total(i));
      }
      return Carried{};
    });
  }
  const Carried initial = when(b.CreateNot(fresh), zeros, [&] {
    Carried out;
    for (int i = 0; i < points; ++i) out.push_back(load(slice.chain(i)));
    return out;
  });
  Carried sums = chain(initial);
  when(b.CreateNot(slice.is_last), {}, [&] {
    for (int i = 0; i < points; ++i) store(sums[static_cast<std::size_t>(i)], slice.chain(i));
    return Carried{};
  });
  if (one_chain) return sums;
  return when(b.CreateICmpSGE(slice.begin, number(contract_chunk)), sums, [&] {
    Carried out;
    for (int i = 0; i < points; ++i) out.push_back(add(load(slice.total(i)), sums[static_cast<std::size_t>(i)]));
    return out;
  });
}

/// Vectors run across the columns while the reduced index picks the lane. Each point keeps all its lanes: in memory, if
/// there are more elements than lanes.
Carried KernelEmitter::across_columns(const Reduce& reduce, DType dtype, int rows, int vectors) {
  const int lanes = reduce_lanes(dtype);
  const int points = rows * vectors;
  if (!reduce.axes.empty()) {
    const auto length = pool().axis(reduce.axes.back()).extent.as_constant();
    const int most = reduce.axes.size() == 1 && points == 1 ? lanes : module.target.machine.accumulators / points;
    if (length && *length > 0 && *length <= std::min(lanes, most)) {
      return few_across(reduce, dtype, rows, vectors, static_cast<int>(*length));
    }
  }
  auto* type = llvm::FixedVectorType::get(module.memory_type(dtype), static_cast<unsigned>(space_.width));
  llvm::AllocaInst* memory = stack_array(type, static_cast<std::uint64_t>(lanes) * points, "lanes");
  llvm::Value* neutral = llvm::ConstantVector::getSplat(
      llvm::ElementCount::getFixed(static_cast<unsigned>(space_.width)), arithmetic_.neutral(reduce.op, dtype));
  const auto at = [&](llvm::Value* lane, llvm::Value* point) {
    return b.CreateInBoundsGEP(type, memory, b.CreateNSWAdd(b.CreateNSWMul(lane, number(points)), point));
  };
  const auto read = [&](llvm::Value* lane, llvm::Value* point) {
    llvm::Value* loaded = b.CreateAlignedLoad(type, at(lane, point), llvm::Align(size_of(dtype)));
    return dtype == boolean ? b.CreateIsNotNull(loaded) : loaded;
  };
  const auto write = [&](llvm::Value* lane, llvm::Value* point, llvm::Value* made) {
    if (dtype == boolean) made = b.CreateZExt(made, type);
    b.CreateAlignedStore(made, at(lane, point), llvm::Align(size_of(dtype)));
  };
  loop(number(0), number(std::int64_t{lanes} * points), 1,
       [&](llvm::Value* place) { write(number(0), place, neutral); });
  nest(reduce.axes, [&] {
    llvm::Value* index = reduce.axes.empty() ? number(0) : axes_.at(reduce.axes.back());
    llvm::Value* lane = b.CreateAnd(index, number(lanes - 1));
    for (row_ = 0; row_ < rows; ++row_) {
      for (column_ = 0; column_ < vectors; ++column_) {
        llvm::Value* point = number(row_ * vectors + column_);
        llvm::Value* element = vector(reduce.a);
        write(lane, point, arithmetic_.combine(reduce.op, dtype, read(lane, point), element));
      }
    }
    row_ = column_ = 0;
  });
  loop(number(0), number(points), 1, [&](llvm::Value* point) {
    Carried values;
    for (int lane = 0; lane < lanes; ++lane) values.push_back(read(number(lane), point));
    write(number(0), point, fold_vectors(reduce, dtype, values));
  });
  Carried results;
  for (int point = 0; point < points; ++point) results.push_back(read(number(0), number(point)));
  return results;
}

/// The result of lanes that each have a vector. Those without an element, at the end, would change nothing.
llvm::Value* KernelEmitter::fold_vectors(const Reduce& reduce, DType dtype, Carried lanes) {
  for (std::size_t half = static_cast<std::size_t>(reduce_lanes(dtype)) / 2; half >= 1; half /= 2) {
    for (std::size_t lane = half; lane < std::min(2 * half, lanes.size()); ++lane) {
      lanes[lane - half] = arithmetic_.combine(reduce.op, dtype, lanes[lane - half], lanes[lane]);
    }
  }
  return lanes.front();
}

llvm::Value* KernelEmitter::no_lanes(const Reduce& reduce, DType dtype) {
  const auto lanes = llvm::ElementCount::getFixed(static_cast<unsigned>(reduce_lanes(dtype)));
  return llvm::ConstantVector::getSplat(lanes, arithmetic_.neutral(reduce.op, dtype));
}

/// The lanes after the vectors of elements at hand.
llvm::Value* KernelEmitter::take_in(const Reduce& reduce, DType dtype, llvm::Value* lanes) {
  const auto element = [&](int column) {
    column_ = column;
    llvm::Value* made = vector(reduce.a);
    column_ = 0;
    return made;
  };
  if (space_.mask) {
    return b.CreateSelect(space_.mask, arithmetic_.combine(reduce.op, dtype, lanes, element(0)), lanes);
  }
  int column = 0;
  const bool in_pairs = is_float(dtype) && (reduce.op == ReduceOp::max || reduce.op == ReduceOp::min);
  for (; in_pairs && column + 1 < space_.vectors; column += 2) {
    lanes = arithmetic_.combine_two(reduce.op, dtype, lanes, element(column), element(column + 1));
  }
  for (; column < space_.vectors; ++column) lanes = arithmetic_.combine(reduce.op, dtype, lanes, element(column));
  return lanes;
}

/// Runs `body` along `axis`, and in the same loop the reduction that is to join it.
Carried KernelEmitter::with_guest(AxisId axis, int width, int most_vectors, llvm::ArrayRef<llvm::Value*> initial,
                                  NestBody body) {
  if (!guest_) return cover(axis, number(0), extent(axis), width, most_vectors, initial, body);
  const Guest guest = *std::exchange(guest_, std::nullopt);
  const Reduce reduce = std::get<Reduce>(pool().node(guest.reduction));
  const DType dtype = pool().dtype(guest.reduction);
  Carried both(initial);
  both.push_back(no_lanes(reduce, dtype));
  const auto with = [&](llvm::ArrayRef<llvm::Value*> carried) {
    Carried next = body(carried.drop_back());
    Space space = space_;
    space.column = reduce.axes.front();
    within(space, [&] {
      bind(reduce.axes.front(), bound(axis));
      prefetch_ahead({&reduce.a, 1});
      next.push_back(take_in(reduce, dtype, carried.back()));
    });
    return next;
  };
  Carried out = cover(axis, number(0), extent(axis), width, most_vectors, both, with);
  b.CreateStore(fold_lanes(reduce, dtype, out.pop_back_val()), guest.result);
  return out;
}

void KernelEmitter::reduce_alone(const Guest& guest) {
  const Reduce reduce = std::get<Reduce>(pool().node(guest.reduction));
  b.CreateStore(along_axis(reduce, pool().dtype(guest.reduction), nullptr), guest.result);
}

void KernelEmitter::evaluate_along(const Stage& stage, int width) {
  const int in_step = vectors_in_step({&stage, 1}, stage.inner.front(), width);
  with_guest(stage.inner.front(), width, in_step, {}, [&](llvm::ArrayRef<llvm::Value*>) {
    evaluate({&stage, 1});
    return Carried{};
  });
}

/// The lanes of one vector are the reduction's lanes: for values that do not vary along the columns.
llvm::Value* KernelEmitter::along_axis(const Reduce& reduce, DType dtype, const Stage* row) {
  if (reduce.axes.empty()) {
    llvm::Constant* neutral = arithmetic_.neutral(reduce.op, dtype);
    llvm::Value* only = arithmetic_.combine(reduce.op, dtype, neutral, value(reduce.a));
    return arithmetic_.combine(reduce.op, dtype, only, neutral);
  }
  const auto outer = std::span(reduce.axes).first(reduce.axes.size() - 1);
  const int width = reduce_lanes(dtype);
  const int in_step = row ? vectors_in_step({row, 1}, row->inner.front(), width) : 1;
  const Carried filled = nest(outer, no_lanes(reduce, dtype), [&](llvm::ArrayRef<llvm::Value*> lanes) {
    return with_guest(reduce.axes.back(), width, in_step, lanes, [&](llvm::ArrayRef<llvm::Value*> inner) {
      if (row) evaluate({row, 1});
      return Carried{take_in(reduce, dtype, inner.front())};
    });
  });
  return fold_lanes(reduce, dtype, filled.front());
}

llvm::Value* KernelEmitter::fold_lanes(const Reduce& reduce, DType dtype, llvm::Value* lanes) {
  for (int half = reduce_lanes(dtype) / 2; half >= 1; half /= 2) {
    llvm::SmallVector<int, 16> low;
    llvm::SmallVector<int, 16> high;
    for (int lane = 0; lane < half; ++lane) {
      low.push_back(lane);
      high.push_back(lane + half);
    }
    lanes =
        arithmetic_.combine(reduce.op, dtype, b.CreateShuffleVector(lanes, low), b.CreateShuffleVector(lanes, high));
  }
  return b.CreateExtractElement(lanes, b.getInt64(0));
}

}  // namespace lathe::emit
