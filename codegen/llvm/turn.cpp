// Kernel functions: squares of an operand, turned in registers so that neighbours in memory are in different vectors.
#include <lathe/codegen/llvm/kernel.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

/// Runs `body` for `length` indices from `begin` on, as many at a time as make a vector, and then for those left.
Carried KernelEmitter::in_vectors(llvm::Value* begin, llvm::Value* length, int width,
                                  llvm::ArrayRef<llvm::Value*> initial, VectorsBody body) {
  llvm::Value* whole = b.CreateAnd(length, number(-std::int64_t{width}));
  llvm::Value* whole_end = b.CreateNSWAdd(begin, whole);
  const Carried carried =
      loop(begin, whole_end, width, initial,
           [&](llvm::Value* from, llvm::ArrayRef<llvm::Value*> before) { return body(from, number(width), before); });
  llvm::Value* rest = b.CreateNSWSub(length, whole);
  return when(b.CreateICmpNE(rest, number(0)), carried, [&] { return body(whole_end, rest, carried); });
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
  // Only where there is room for them are more lines stored than there are.
  const std::int64_t rest_lines = terms ? width : pool().axis(last).extent.constant() % width;
  nest(std::span(packed.axes).first(packed.axes.size() - 1), [&] {
    in_vectors(
        begin, length, width, {}, [&](llvm::Value* first_line, llvm::Value* count, llvm::ArrayRef<llvm::Value*>) {
          const bool is_whole = count == number(width);
          Space along;
          along.column = last;
          along.width = width;
          if (!is_whole) along.mask = first_lanes(count, width);
          loop(number(0), columns, width, [&](llvm::Value* offset) {
            pack_square(packed, along, first_line, b.CreateNSWAdd(packed.first, offset), is_whole ? width : rest_lines);
          });
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
  along.width = square_width(dtype, width);
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
  const Carried sums = in_vectors(begin, b.CreateNSWSub(end, begin), width, initial, square);
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
