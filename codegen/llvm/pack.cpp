// Panels of a contraction's operand, copied to where they can be loaded in whole vectors and stay in the cache.
#include <algorithm>

#include <lathe/codegen/llvm/kernel.h>
#include <lathe/codegen/nest.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// Of lines that are whole vectors, one after the other.
llvm::Align line_alignment(DType dtype, int width) {
  return llvm::Align(std::min<std::uint64_t>(64, static_cast<std::uint64_t>(width) * size_of(dtype)));
}

}  // namespace

/// One place an operand, whatever panel or block of it is at hand.
llvm::AllocaInst* KernelEmitter::packed_memory(ExprId operand, std::int64_t elements) {
  auto [at, fresh] = packed_memory_.emplace(operand, nullptr);
  llvm::Type* type = module.memory_type(pool().dtype(operand));
  if (fresh) at->second = stack_array(type, static_cast<std::uint64_t>(elements), "packed");
  return at->second;
}

/// The number of the bound reduced indices, in row-major order.
llvm::Value* KernelEmitter::packed_line(const Packed& packed) {
  if (packed.first_line) return b.CreateNSWSub(bound(packed.axes.front()), packed.first_line);
  llvm::Value* line = number(0);
  for (const AxisId axis : packed.axes) line = b.CreateNSWAdd(b.CreateNSWMul(line, extent(axis)), bound(axis));
  return line;
}

/// Where a block has the element of the bound reduced axes for the current row.
llvm::Value* KernelEmitter::block_element(const Packed& block) {
  llvm::Type* type = module.memory_type(pool().dtype(block.operand));
  llvm::Value* row = b.CreateConstInBoundsGEP1_64(type, block.memory, static_cast<std::uint64_t>(row_ * block.stride));
  return b.CreateInBoundsGEP(type, row, packed_line(block));
}

/// Where a panel or lines have the element of the bound reduced axes at column or row `along`.
llvm::Value* KernelEmitter::packed_element(const Packed& packed, llvm::Value* along) {
  llvm::Value* line = packed_line(packed);
  llvm::Type* type = module.memory_type(pool().dtype(packed.operand));
  llvm::Value* first = b.CreateInBoundsGEP(type, packed.memory, b.CreateNSWMul(line, number(packed.stride)));
  return b.CreateInBoundsGEP(type, first, b.CreateNSWSub(along, packed.first));
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
    const int lanes = module.target.machine.vector_bits / 8 / static_cast<int>(size_of(pool().dtype(operand)));
    // More would not fit into the registers.
    pack_transposed(packed, columns.length, std::min(lanes, width), terms);
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

/// Copies a square of an operand that runs along its last axis, from `first_line` on: turned in registers, `count` of
/// its lines are stored. Columns past the last one hold anything. What lies `ahead` elements further is asked for.
void KernelEmitter::pack_square(const Packed& packed, const Space& along, llvm::Value* first_line, llvm::Value* column,
                                std::int64_t count, std::int64_t ahead) {
  const AxisId last = packed.axes.back();
  const auto columns = pool().axis(packed.column).extent.as_constant();
  const bool has_edge = !columns || *columns % along.width != 0;
  llvm::Value* last_column = b.CreateNSWSub(extent(packed.column), number(1));
  Carried lines;
  for (int i = 0; i < along.width; ++i) {
    within(along, [&] {
      llvm::Value* at = b.CreateNSWAdd(column, number(i));
      bind(packed.column, has_edge ? smaller(at, last_column) : at);
      bind(last, first_line);
      if (ahead != 0) {
        llvm::Type* element = module.memory_type(pool().dtype(packed.operand));
        prefetch(b.CreateGEP(element, first_element(packed.operand, accesses_.flat(packed.operand)), number(ahead)));
      }
      lines.push_back(vector(packed.operand));
    });
  }
  lines = transpose(lines);
  for (std::int64_t i = 0; i < count; ++i) {
    bind(last, b.CreateNSWAdd(first_line, number(i)));
    b.CreateAlignedStore(lines[static_cast<std::size_t>(i)], packed_element(packed, column),
                         line_alignment(pool().dtype(packed.operand), along.width));
  }
}

/// Vectors along the last reduced axis, a square of `width` lines and columns at a time.
void KernelEmitter::pack_transposed(const Packed& packed, llvm::Value* columns, int width,
                                    const std::optional<Terms>& terms) {
  const AxisId last = packed.axes.back();
  llvm::Value* begin = terms ? terms->begin : number(0);
  llvm::Value* length = terms ? terms->length : extent(last);
  llvm::Value* whole = b.CreateAnd(length, number(-std::int64_t{width}));
  llvm::Value* whole_end = b.CreateNSWAdd(begin, whole);
  llvm::Value* rest = b.CreateNSWSub(length, whole);
  // Only where there is room for them are more lines stored than there are.
  const std::int64_t rest_lines = terms ? width : pool().axis(last).extent.constant() % width;
  nest(std::span(packed.axes).first(packed.axes.size() - 1), [&] {
    const auto columns_of = [&](llvm::Value* first_line, std::int64_t count, llvm::Value* mask) {
      Space along;
      along.column = last;
      along.width = width;
      along.mask = mask;
      loop(number(0), columns, width, [&](llvm::Value* offset) {
        pack_square(packed, along, first_line, b.CreateNSWAdd(packed.first, offset), count);
      });
    };
    loop(begin, whole_end, width, [&](llvm::Value* line) { columns_of(line, width, nullptr); });
    when(b.CreateICmpNE(rest, number(0)), {}, [&] {
      columns_of(whole_end, rest_lines, first_lanes(rest, width));
      return Carried{};
    });
  });
}

void KernelEmitter::turn(ExprId load, const Range& rows, const Range& columns, int width, std::int64_t panel,
                         std::int64_t ahead) {
  const DType dtype = pool().dtype(load);
  const std::int64_t line = (panel + width - 1) / width * width;
  llvm::Value* memory = packed_memory(load, line * width);
  release(load);
  const Packed packed{Packed::Kind::panel, load, {rows.axis}, columns.axis, memory, line, columns.begin, rows.begin};
  Space along;
  along.column = rows.axis;
  along.width = std::min(module.target.machine.vector_bits / 8 / static_cast<int>(size_of(dtype)), width);
  const auto squares = [&](bool whole) {
    loop(number(0), number(width), along.width, [&](llvm::Value* first) {
      llvm::Value* left = b.CreateNSWSub(rows.length, first);
      along.mask =
          whole ? nullptr : first_lanes(b.CreateBinaryIntrinsic(llvm::Intrinsic::smax, left, number(0)), along.width);
      loop(number(0), columns.length, along.width, [&](llvm::Value* offset) {
        pack_square(packed, along, b.CreateNSWAdd(rows.begin, first), b.CreateNSWAdd(columns.begin, offset),
                    along.width, ahead);
      });
    });
  };
  branch(
      b.CreateICmpEQ(rows.length, number(width)), [&] { squares(true); }, [&] { squares(false); });
  packed_.push_back(packed);
}

/// Indices [begin, end) of the last reduced axis, a square at a time: it is turned, and then the sum takes its terms.
Carried KernelEmitter::with_turned_terms(AxisId last, llvm::Value* begin, llvm::Value* end,
                                         llvm::ArrayRef<llvm::Value*> initial, NestBody step) {
  constexpr std::int64_t lines_ahead = 4;
  const auto [operand, panel] = *turned_terms_;
  const std::int64_t ahead = lines_ahead * cache_line_bytes / static_cast<std::int64_t>(size_of(pool().dtype(operand)));
  const int width = space_.width;
  const AxisId column = *space_.column;
  llvm::Value* first_column = bound(column);
  llvm::Value* columns = number(std::int64_t{space_.vectors} * width);
  const auto all_columns = pool().axis(column).extent.as_constant();
  if (!all_columns || *all_columns % width != 0) {
    columns = smaller(columns, b.CreateNSWSub(extent(column), first_column));
  }
  const auto square = [&](llvm::Value* from, llvm::Value* count, llvm::ArrayRef<llvm::Value*> carried) {
    turn(operand, {last, from, count}, {column, first_column, columns}, width, panel, ahead);
    bind(column, first_column);
    return loop(from, b.CreateNSWAdd(from, count), 1, carried,
                [&](llvm::Value* index, llvm::ArrayRef<llvm::Value*> sums) {
                  bind(last, index);
                  return step(sums);
                });
  };
  llvm::Value* length = b.CreateNSWSub(end, begin);
  llvm::Value* whole = b.CreateAnd(length, number(-std::int64_t{width}));
  llvm::Value* whole_end = b.CreateNSWAdd(begin, whole);
  const Carried carried =
      loop(begin, whole_end, width, initial,
           [&](llvm::Value* from, llvm::ArrayRef<llvm::Value*> sums) { return square(from, number(width), sums); });
  llvm::Value* rest = b.CreateNSWSub(length, whole);
  const Carried sums = when(b.CreateICmpNE(rest, number(0)), carried, [&] { return square(whole_end, rest, carried); });
  release(operand);
  return sums;
}

/// The square matrix that `rows` hold, transposed. Machines are fastest at shuffles within blocks of 16 bytes, and at
/// those of whole blocks: so first each block is transposed with those of its neighbours, and then all blocks change
/// places.
Carried KernelEmitter::transpose(Carried rows) {
  constexpr unsigned block_bits = 128;
  const std::size_t count = rows.size();
  const std::size_t block = std::min<std::size_t>(block_bits / rows.front()->getType()->getScalarSizeInBits(), count);
  for (std::size_t half = 1; half < block; half *= 2) {
    Carried next;
    for (std::size_t first = 0; first < count; first += 2 * half) {
      for (std::size_t i = first; i < first + half; ++i) {
        for (const std::size_t from : {std::size_t{0}, block / 2}) {
          next.push_back(interleave(rows[i], rows[i + half], block, from, half));
        }
      }
    }
    rows = next;
  }
  Carried columns(count);
  for (std::size_t i = 0; i < block; ++i) {
    Carried parts;
    for (std::size_t row = i; row < count; row += block) parts.push_back(rows[row]);
    parts = gather_blocks(parts, block);
    for (std::size_t part = 0; part < parts.size(); ++part) columns[part * block + i] = parts[part];
  }
  return columns;
}

/// Of each block of `x` and `y` the elements of one half, which begins at `from`: so many of `x` and of `y` in turn.
llvm::Value* KernelEmitter::interleave(llvm::Value* x, llvm::Value* y, std::size_t block, std::size_t from,
                                       std::size_t in_turn) {
  const std::size_t count = llvm::cast<llvm::FixedVectorType>(x->getType())->getNumElements();
  llvm::SmallVector<int, 16> lanes;
  for (std::size_t first = from; first < count; first += block) {
    for (std::size_t lane = first; lane < first + block / 2; lane += in_turn) {
      for (std::size_t i = lane; i < lane + in_turn; ++i) lanes.push_back(static_cast<int>(i));
      for (std::size_t i = lane; i < lane + in_turn; ++i) lanes.push_back(static_cast<int>(count + i));
    }
  }
  return b.CreateShuffleVector(x, y, lanes);
}

/// As many vectors as `parts` have blocks: the first has the first block of each part, and so on.
Carried KernelEmitter::gather_blocks(const Carried& parts, std::size_t block) {
  if (parts.size() == 1) return parts;
  const std::size_t count = llvm::cast<llvm::FixedVectorType>(parts.front()->getType())->getNumElements();
  Carried halves[2];  // of even and of odd blocks
  for (std::size_t part = 0; part < parts.size(); part += 2) {
    for (const std::size_t odd : {0, 1}) {
      llvm::SmallVector<int, 16> lanes;
      for (std::size_t first = odd * block; first < 2 * count; first += 2 * block) {
        for (std::size_t i = first; i < first + block; ++i) lanes.push_back(static_cast<int>(i));
      }
      halves[odd].push_back(b.CreateShuffleVector(parts[part], parts[part + 1], lanes));
    }
  }
  const Carried even = gather_blocks(halves[0], block);
  const Carried odd = gather_blocks(halves[1], block);
  Carried out;
  for (std::size_t i = 0; i < even.size(); ++i) out.append({even[i], odd[i]});
  return out;
}

}  // namespace lathe::emit
