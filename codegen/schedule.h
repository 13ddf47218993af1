#pragma once

#include <optional>
#include <string>
#include <vector>

#include <lathe/codegen/access.h>
#include <lathe/codegen/ahead.h>
#include <lathe/codegen/machine.h>
#include <lathe/codegen/tile.h>

namespace lathe {

/// How a kernel runs. Chosen from its structure and the machine model alone, never from an op's name, and without a
/// bearing on any bit of the result.
///
/// A kernel's work is cut into items along its outer axes, and threads share items out. One outer axis (`column`) is
/// covered by vectors, one (`row`) by blocks of rows; an item is one block of rows of one panel of columns, for one
/// point of the `batch` axes. A contraction covers an item with register tiles; where the operand along the columns
/// cannot be loaded in vectors, or its lines would push each other out of the cache, a panel of it is copied first; or,
/// where few rows would pay for that, squares of columns and terms are turned in registers as the sum goes.
/// Where every block of rows would read more than the cache holds, all blocks take one slice of the sum after the
/// other; so they do where a whole panel of a copy would be too large, or where each term is in another page. An
/// epilogue takes other units of the core than a sum does: a long one waits for the next tile's sum, and both run side
/// by side. An operand along the rows that takes arithmetic, or whose rows lie anywhere, is made as the sum goes: in
/// every item that reads it, so that no thread has to fetch it from another; a thread on its own makes it once for all
/// columns. A row kernel takes its stages one after the other; where all that they reduce is shorter than a vector, its
/// lanes are rows. A map whose loads have neighbours in different rows turns a square of rows and columns in registers.
struct Schedule {
  enum class Form {
    map,   // no reductions: rows outside, vectors of columns inside
    tile,  // reductions without inner axes: register tiles, or vectors of columns
    rows,  // row by row; each stage has vectors along an axis of its own
  };

  Form form = Form::rows;
  std::vector<loop::AxisId> batch;  // outermost first
  std::optional<loop::AxisId> row;
  std::optional<loop::AxisId> column;  // map and tile
  int width = 16;                      // elements a vector
  std::vector<Tile> tiles = {{1, 1}};  // to use, most rows first; the last ones cover any remainder of rows
  std::int64_t panel = 0;              // columns an item covers
  std::vector<loop::ExprId> packed;    // operands of contractions: copied panel by panel, or by `rows` whole
  std::optional<loop::ExprId> block;   // an operand along rows to make, a vector of reduced indices at a time
  std::optional<loop::ExprId> lines;   // the same, a vector of rows at a time, for all indices of a slice
  std::vector<loop::AxisId> shared;    // batch axes all of whose points use one block in turn, if a thread is alone
  bool shares_columns = false;         // so do all panels of columns
  bool delays = false;                 // what tiles do with their sums: each does it while the next one sums
  std::int64_t slice = 0;              // first reduced indices of a contraction at a time; 0: all
  std::int64_t packed_slice = 0;       // the same of a copied panel, whole slices; 0: all
  std::vector<loop::ExprId> turned;    // loads whose neighbours are in different rows, or terms of a contraction's sum
  std::optional<Ahead> ahead;          // rows: replaces the first stage
  int across = 0;                      // rows: of a block, which short stages take as one vector; 0: one by one
  std::vector<std::size_t> followed;   // rows: stages whose tiles the next stage takes from registers
  std::vector<loop::TensorId> streamed;  // stored past the caches where they are large: see streaming.h
  Dim work;                              // of the whole kernel, in operations on single elements

  /// Of a block.
  int rows() const {
    if (across > 0) return across;
    return form == Form::map && !turned.empty() ? width : tiles.front().rows;
  }

  std::vector<loop::LocalInfo> locals;
  std::vector<loop::Stage> stages;  // over merged axes
};

/// Operations on single elements, some 200 a nanosecond: what a chunk should hold, and below which a kernel would be
/// done before another thread had begun.
inline constexpr std::int64_t chunk_work = 250'000;
inline constexpr std::int64_t parallel_work = 1'000'000;
/// More chunks than these would not balance better.
inline constexpr std::int64_t most_chunks = 128;

/// The blocks of rows that are best kept together: a chunk has a multiple of them.
std::int64_t whole_blocks(const Schedule& schedule, const loop::Pool& pool);

/// Where it is known how many blocks of rows a panel has: the numbers of blocks that it can be cut into evenly for
/// chunks, ascending.
std::vector<std::int64_t> panel_parts(const Schedule& schedule, const loop::Pool& pool);
/// A chunk grows so many times at most to be a whole part of a panel: then threads have equal shares, and none has ends
/// of two panels.
inline constexpr std::int64_t most_growth = 4;

/// How many items a kernel has, and how many of them make a chunk: all, if it is not shared out. A function of sizes
/// alone, never of the number of threads.
struct Sharing {
  std::int64_t items = 0;
  std::int64_t grain = 1;
};
/// What compiled code works out when it runs at these sizes on several threads.
Sharing share(const Schedule& schedule, const loop::Pool& pool, const Bindings& bindings);

Schedule schedule(const Program& program, const loop::Kernel& kernel, const MachineModel& machine);

/// Elements a vector for code that computes `values`: what 64 bytes hold of the widest float, 16 or 8.
int vector_width(const loop::Pool& pool, std::span<const loop::ExprId> values);
/// Whether elements so many apart share few places in the first-level cache, and hardly any prefetcher follows them.
bool is_far_apart(const Dim& step, DType dtype);
/// Whether reductions in lanes had better run along their own last axis than across columns.
bool reduces_along_rows(Accesses& accesses, std::span<const loop::Stage> stages, loop::AxisId column);
/// What `stages` yield, in order.
std::vector<loop::ExprId> values_of(std::span<const loop::Stage> stages);
/// The Loads among what `roots` are made of.
std::vector<loop::ExprId> loads_of(const loop::Pool& pool, std::span<const loop::ExprId> roots);
/// Those whose rows lie wherever an index says, so that no prefetcher of the hardware's knows the next one: runs of
/// elements along `along`, or without that a single element a row.
std::vector<loop::ExprId> scattered_loads(Accesses& accesses, std::span<const loop::ExprId> roots, loop::AxisId row,
                                          std::optional<loop::AxisId> along);
/// The reduction that all of the stage's yields store, if it is one.
const loop::Reduce* reduction(const loop::Pool& pool, const loop::Stage& stage);

/// Whether stages without reductions do much at all points of a tile: then code that loops over its rows is worth it.
bool is_long(Accesses& accesses, std::span<const loop::Stage> stages, const Tile& tile);
/// Whether a stage of a `rows` kernel runs across rows, lanes being rows.
bool is_across(const loop::Pool& pool, const Schedule& schedule, const loop::Stage& stage);
/// Whether a stage of a `rows` kernel is a contraction that takes a block of rows at once.
bool is_tiled(const loop::Pool& pool, const Schedule& schedule, const loop::Stage& stage);

/// "tile i, j: 8x2, 4x4, 1x4 vectors of 16; panels of 64 columns"
std::string to_string(const Schedule& schedule, const loop::Pool& pool);

}  // namespace lathe
