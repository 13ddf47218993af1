#pragma once

#include <cstdint>

#include <lathe/codegen/machine.h>
#include <lathe/graph/dim.h>

namespace lathe {

/// A register tile: rows x vectors accumulators.
struct Tile {
  int rows = 1;
  int vectors = 1;
};

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// Registers that one vector of `width` elements takes.
int registers_of(int width, int element_bytes, const MachineModel& machine);
/// How many vectors a tile of `rows` rows may hold: what the accumulators allow and the columns need, at most `most`.
int tile_vectors(int rows, const Dim& columns, int width, int element_bytes, const MachineModel& machine, int most = 8);
/// Whether a tile's accumulators leave registers for other work between the steps of its sum.
bool leaves_registers(const Tile& tile, int width, int element_bytes, const MachineModel& machine);
/// The register tile that covers `rows` x `columns` (taken for large where not constant) with the fewest cycles.
Tile choose_tile(const Dim& rows, const Dim& columns, int width, int element_bytes, const MachineModel& machine);

}  // namespace lathe
