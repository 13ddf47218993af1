#pragma once

#include <optional>
#include <string>
#include <vector>

#include <lathe/codegen/access.h>
#include <lathe/codegen/machine.h>

namespace lathe {

/// A register tile: rows x vectors accumulators.
struct Tile {
  int rows = 1;
  int vectors = 1;
};

/// How a kernel runs. Chosen from its structure and the machine model alone, never from an op's name, and without a
/// bearing on any bit of the result.
///
/// A kernel's work is cut into items along its outer axes, and threads share items out. One outer axis (`column`) is
/// covered by vectors, one (`row`) by blocks of rows; an item is one block of rows of one panel of columns, for one
/// point of the `batch` axes.
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
  int vectors = 1;                     // of a full tile
  std::vector<int> row_tiles = {1};    // rows of the tiles to use, most first; the last ones cover any remainder
  std::int64_t panel = 0;              // columns an item covers
  Dim work;                            // of the whole kernel, in operations on single elements

  std::vector<loop::LocalInfo> locals;
  std::vector<loop::Stage> stages;  // over merged axes
};

Schedule schedule(const Program& program, const loop::Kernel& kernel, const MachineModel& machine);

/// The register tile that covers `rows` x `columns` (taken for large where not constant) with the fewest cycles.
Tile choose_tile(const Dim& rows, const Dim& columns, int width, int element_bytes, const MachineModel& machine);
/// Elements a vector for code that computes `values`: what 64 bytes hold of the widest float, 16 or 8.
int vector_width(const loop::Pool& pool, std::span<const loop::ExprId> values);
/// The reduction that all of the stage's yields store, if it is one.
const loop::Reduce* reduction(const loop::Pool& pool, const loop::Stage& stage);

/// "tile i, j: 8x2 vectors of 16, then 4, 1 rows; panels of 32 columns"
std::string to_string(const Schedule& schedule, const loop::Pool& pool);

}  // namespace lathe
