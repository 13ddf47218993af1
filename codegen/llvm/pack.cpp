// Panels of a contraction's operand, copied to where they can be loaded in whole vectors and stay in the cache.
#include <algorithm>

#include <lathe/codegen/llvm/kernel.h>
#include <lathe/codegen/nest.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

llvm::Align KernelEmitter::line_alignment(DType dtype, int width) {
  return llvm::Align(std::min<std::uint64_t>(64, static_cast<std::uint64_t>(width) * size_of(dtype)));
}

int KernelEmitter::square_width(DType dtype, int width) const {
  return std::min(module.target.machine.vector_bits / 8 / static_cast<int>(size_of(dtype)), width);
}

/// One place an operand, whatever panel or block of it is at hand.
llvm::AllocaInst* KernelEmitter::packed_memory(ExprId operand, std::int64_t elements) {
  auto [at, fresh] = packed_memory_.emplace(operand, nullptr);
  llvm::Type* type = module.memory_type(pool().dtype(operand));
  if (fresh) at->second = stack_array(type, static_cast<std::uint64_t>(elements), "packed");
  return at->second;
}

/// The number of the bound reduced indices, in row-major order, times `stride`. Copies of some terms begin with another
/// number than 0: see packed_element().
llvm::Value* KernelEmitter::packed_line(const Packed& packed, std::int64_t stride) {
  if (packed.first_line) return times(bound(packed.axes.front()), number(stride));
  llvm::Value* line = number(0);
  for (const AxisId axis : packed.axes) line = b.CreateNSWAdd(b.CreateNSWMul(line, extent(axis)), bound(axis));
  return times(line, number(stride));
}

/// Where a block has the element of the bound reduced axes for the current row.
llvm::Value* KernelEmitter::block_element(const Packed& block) {
  llvm::Type* type = module.memory_type(pool().dtype(block.operand));
  llvm::Value* row = b.CreateConstInBoundsGEP1_64(type, block.memory, static_cast<std::uint64_t>(row_ * block.stride));
  return b.CreateInBoundsGEP(type, row, packed_line(block, 1));
}

/// Where a panel or lines have the element of the bound reduced axes at column or row `along`.
llvm::Value* KernelEmitter::packed_element(const Packed& packed, llvm::Value* along) {
  llvm::Type* type = module.memory_type(pool().dtype(packed.operand));
  llvm::Value* begin = b.CreateGEP(type, packed.memory, b.CreateNSWSub(along, packed.first));
  if (packed.first_line) {
    begin = b.CreateGEP(type, begin, b.CreateNSWMul(packed.first_line, number(-packed.stride)));
  }
  return b.CreateGEP(type, begin, packed_line(packed, packed.stride));
}

const KernelEmitter::Packed* KernelEmitter::find_packed(ExprId operand) const {
  for (const Packed& packed : packed_) {
    if (packed.operand == operand && space_.column == packed.column) return &packed;
  }
  return nullptr;
}

/// Beyond the last column the copy holds anything, in lanes that nobody looks at.
llvm::Value* KernelEmitter::load_packed(const Packed& packed) {
  const DType dtype = pool().dtype(packed.operand);
  llvm::Type* element = module.memory_type(dtype);
  const auto shifted = [&](llvm::Value* at, int elements) {
    return elements == 0 ? at : b.CreateConstInBoundsGEP1_64(element, at, static_cast<unsigned>(elements));
  };
  const llvm::Align align(size_of(dtype));
  switch (packed.kind) {
    case Packed::Kind::block: return b.CreateAlignedLoad(element, block_element(packed), align);
    case Packed::Kind::lines:
      return b.CreateAlignedLoad(element, shifted(packed_element(packed, bound(*space_.row)), row_), align);
    case Packed::Kind::panel: break;
  }
  llvm::Value* at = shifted(packed_element(packed, bound(packed.column)), column_ * space_.width);
  auto* type = llvm::FixedVectorType::get(element, static_cast<unsigned>(space_.width));
  return b.CreateAlignedLoad(type, at, line_alignment(dtype, space_.width));
}

/// From now on the operand is what it is.
void KernelEmitter::release(ExprId operand) {
  std::erase_if(packed_, [&](const Packed& packed) { return packed.operand == operand; });
}

void KernelEmitter::pack(const Reduce& reduce, ExprId operand, const Range& columns, std::int64_t panel, int width,
                         const std::optional<Terms>& terms) {
  const std::int64_t lines = terms ? terms->most : *reduced_length(pool(), reduce);
  const Packed packed{Packed::Kind::panel,
                      operand,
                      reduce.axes,
                      columns.axis,
                      packed_memory(operand, panel * lines),
                      panel,
                      columns.begin,
                      terms ? terms->begin : nullptr};
  release(operand);
  const auto line = [&] {
    vectors(columns.axis, columns.begin, columns.length, width, [&] {
      llvm::Value* made = vector(operand);
      llvm::Value* at = packed_element(packed, bound(columns.axis));
      b.CreateAlignedStore(made, at, line_alignment(pool().dtype(operand), width));
    });
  };
  if (!reduce.axes.empty() && !accesses_.contiguous(operand, columns.axis) &&
      accesses_.contiguous(operand, reduce.axes.back())) {
    pack_transposed(packed, columns.length, square_width(pool().dtype(operand), width), terms);
  } else if (terms) {
    loop(terms->begin, b.CreateNSWAdd(terms->begin, terms->length), 1, [&](llvm::Value* index) {
      bind(reduce.axes.front(), index);
      line();
    });
  } else {
    nest(reduce.axes, line);
  }
  packed_.push_back(packed);
}

void KernelEmitter::open_block(const Reduce& reduce, ExprId operand, AxisId column) {
  const std::int64_t elements = *reduced_length(pool(), reduce);
  const std::int64_t line = 64 / static_cast<std::int64_t>(size_of(pool().dtype(operand)));
  const std::int64_t row_elements = (elements + line - 1) / line * line;
  llvm::Value* memory = packed_memory(operand, row_elements * space_.rows);
  release(operand);
  packed_.push_back({Packed::Kind::block, operand, reduce.axes, column, memory, row_elements});
  next_rows_.clear();
  if (space_.row && reduce.axes.size() == 1) next_rows_ = next_rows(operand, reduce.axes.front());
  find_rows(operand, reduce.axes);
}

/// Works out once where the rows of an operand lie, rather than with each vector of them.
void KernelEmitter::find_rows(ExprId operand, std::span<const AxisId> along) {
  for (const ExprId load : loads_of(pool(), {&operand, 1})) {
    for (const auto& [atom, coefficient] : accesses_.flat(load).terms) {
      if (std::holds_alternative<AxisIndex>(pool().node(atom)) || accesses_.varies(atom, along)) continue;
      for (row_ = 0; row_ < space_.rows; ++row_) value(atom);
      row_ = 0;
    }
  }
}

std::optional<KernelEmitter::Packed> KernelEmitter::find_block(const Reduce& reduce) const {
  for (const ExprId operand : {reduce.a, reduce.b}) {
    const Packed* packed = find_packed(operand);
    if (packed && packed->kind == Packed::Kind::block) return *packed;
  }
  return std::nullopt;
}

/// The first elements that making the next block will load from rows that lie wherever an index says.
std::vector<KernelEmitter::Row> KernelEmitter::next_rows(ExprId operand, AxisId last) {
  std::vector<Row> out;
  const AxisId row = *space_.row;
  llvm::Value* first = bound(row);
  llvm::Value* last_row = b.CreateNSWSub(extent(row), number(1));
  for (const ExprId load : scattered_loads(accesses_, {&operand, 1}, row, last)) {
    llvm::Type* element = module.memory_type(pool().dtype(load));
    for (int next = space_.rows; next < 2 * space_.rows; ++next) {
      within(space_.one_row(), [&] {
        bind(row, smaller(b.CreateNSWAdd(first, number(next)), last_row));
        bind(last, number(0));
        out.push_back({untested_element(load), element});
      });
    }
  }
  bind(row, first);
  return out;
}

/// A vector along the last reduced axis, of each row.
void KernelEmitter::fill_block(const Packed& block) {
  const AxisId last = block.axes.back();
  if (!space_.mask) {
    for (const ExprId load : loads_of(pool(), {&block.operand, 1})) prefetch_next_rows(load, last, space_.width);
  }
  for (const auto& [first, element] : next_rows_) prefetch(b.CreateGEP(element, first, bound(last)));
  const llvm::Align align(size_of(pool().dtype(block.operand)));
  for (row_ = 0; row_ < space_.rows; ++row_) {
    llvm::Value* made = vector(block.operand);
    if (space_.mask) {
      b.CreateMaskedStore(made, block_element(block), align, space_.mask);
    } else {
      b.CreateAlignedStore(made, block_element(block), align);
    }
  }
  row_ = 0;
}

llvm::Value* KernelEmitter::lines_memory(ExprId operand, std::int64_t elements, llvm::Value* first) {
  return b.CreateInBoundsGEP(module.memory_type(pool().dtype(operand)), packed_memory(operand, elements), first);
}

void KernelEmitter::make_lines(const Lines& lines, llvm::Value* from, llvm::Value* to) {
  const ExprId operand = lines.operand;
  const Packed packed = packed_lines(lines, {});
  const int width = reduce_lanes(pool().dtype(operand));
  const auto make = [&](llvm::Value* length) {
    loop(from, to, 1, [&](llvm::Value* term) {
      bind(lines.axis, term);
      cover(lines.row, lines.first_row, length, width, static_cast<int>(lines.most_rows) / width, [&] {
        for (const ExprId load : loads_of(pool(), {&operand, 1})) {
          if (accesses_.step(load, lines.row) != Dim(1)) continue;
          llvm::Type* element = module.memory_type(pool().dtype(load));
          prefetch(b.CreateGEP(element, first_element(load, accesses_.flat(load)), number(lines.most_rows)));
        }
        for (column_ = 0; column_ < space_.vectors; ++column_) {
          llvm::Value* made = vector(operand);
          llvm::Value* at = packed_element(packed, b.CreateNSWAdd(bound(lines.row), number(column_ * space_.width)));
          b.CreateAlignedStore(made, at, llvm::Align(64));
        }
        column_ = 0;
      });
    });
  };
  llvm::Value* whole = number(lines.most_rows);
  branch(
      b.CreateICmpEQ(lines.rows, whole), [&] { make(whole); }, [&] { make(lines.rows); });
}

void KernelEmitter::use_lines(const Lines& lines, AxisId column) {
  release(lines.operand);
  packed_.push_back(packed_lines(lines, column));
}

KernelEmitter::Packed KernelEmitter::packed_lines(const Lines& lines, AxisId column) {
  return {Packed::Kind::lines, lines.operand,   {lines.axis},    column,
          lines.memory,        lines.most_rows, lines.first_row, lines.begin};
}

/// Indices [begin, end) of the last reduced axis, as many at a time as make a vector: first the next vector of the
/// block is made, and then the steps of the sum take this one. They hide what making costs, and the time until what was
/// made can be read. So the loop begins a vector early, with nothing to take.
Carried KernelEmitter::with_block(const Packed& block, llvm::Value* begin, llvm::Value* end,
                                  llvm::ArrayRef<llvm::Value*> initial, NestBody step) {
  const AxisId last = block.axes.back();
  const Space tile = space_;
  const int width = reduce_lanes(pool().dtype(block.operand));
  const auto make = [&](llvm::Value* condition, llvm::Value* index, llvm::Value* mask) {
    when(b.CreateAnd(block_is_new_, condition), {}, [&] {
      Space along = tile;
      along.column = last;
      along.width = width;
      along.vectors = 1;
      along.mask = mask;
      within(along, [&] {
        bind(last, index);
        fill_block(block);
      });
      return Carried{};
    });
  };
  const auto take = [&](llvm::Value* from, llvm::Value* to, llvm::ArrayRef<llvm::Value*> carried) {
    return loop(from, to, 1, carried, [&](llvm::Value* index, llvm::ArrayRef<llvm::Value*> accumulators) {
      bind(last, index);
      return step(accumulators);
    });
  };
  llvm::Value* length = b.CreateNSWSub(end, begin);
  llvm::Value* whole = b.CreateAnd(length, number(-std::int64_t{width}));
  llvm::Value* whole_end = b.CreateNSWAdd(begin, whole);
  const auto vector = [&](llvm::Value* offset, llvm::ArrayRef<llvm::Value*> carried) {
    llvm::Value* from = b.CreateNSWAdd(begin, b.CreateBinaryIntrinsic(llvm::Intrinsic::smax, offset, number(0)));
    llvm::Value* next = b.CreateNSWAdd(offset, number(width));
    llvm::Value* to = b.CreateNSWAdd(begin, next);
    make(b.CreateICmpSLT(next, whole), to, nullptr);
    return take(from, to, carried);
  };
  const Carried carried = loop(number(-std::int64_t{width}), whole, width, initial, vector);
  llvm::Value* rest = b.CreateNSWSub(length, whole);
  return when(b.CreateICmpNE(rest, number(0)), carried, [&] {
    make(b.getTrue(), whole_end, first_lanes(rest, width));
    return take(whole_end, end, carried);
  });
}

}  // namespace lathe::emit
