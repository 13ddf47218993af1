#include <lathe/codegen/tile.h>

#include <algorithm>
#include <limits>

namespace lathe {
namespace {

/// Whether a tile's accumulators leave room for one row of what is loaded, what is broadcast, and an epilogue.
bool fits(int rows, int vectors, int registers, const MachineModel& machine) {
  if (rows == 1 && vectors == 1) return true;
  const int accumulators = rows * vectors * registers;
  return accumulators <= machine.accumulators && accumulators + vectors * registers + 1 <= machine.vector_registers;
}

}  // namespace

int registers_of(int width, int element_bytes, const MachineModel& machine) {
  return std::max(1, width * element_bytes * 8 / machine.vector_bits);
}

int tile_vectors(int rows, const Dim& columns, int width, int element_bytes, const MachineModel& machine, int most) {
  const auto count = columns.as_constant();
  const std::int64_t needed = count ? ceil_div(std::max<std::int64_t>(*count, 1), width) : most;
  const int registers = registers_of(width, element_bytes, machine);
  int vectors = 1;
  while (vectors < std::min<std::int64_t>(needed, most) && fits(rows, vectors + 1, registers, machine)) ++vectors;
  return vectors;
}

bool leaves_registers(const Tile& tile, int width, int element_bytes, const MachineModel& machine) {
  constexpr int enough = 12;  // an optimizer's update of two vectors
  const int accumulators = tile.rows * tile.vectors * registers_of(width, element_bytes, machine);
  return accumulators + enough <= machine.vector_registers;
}

Tile choose_tile(const Dim& rows, const Dim& columns, int width, int element_bytes, const MachineModel& machine) {
  constexpr std::int64_t usual_rows = 32;  // a batch
  constexpr std::int64_t many_columns = 4096;
  constexpr int most_rows = 8;  // more would mostly enlarge the code of epilogues, unless rows are single vectors
  const std::int64_t m = std::max<std::int64_t>(rows.as_constant().value_or(usual_rows), 1);
  const std::int64_t n = ceil_div(std::max<std::int64_t>(columns.as_constant().value_or(many_columns), 1), width);
  const int registers = registers_of(width, element_bytes, machine);
  // Cycles of one step of the reduction: as many as multiplying, loading or waiting for the chain takes.
  const auto cycles = [&](std::int64_t r, std::int64_t v) {
    const double multiply = static_cast<double>(r * v * registers) / machine.fma_per_cycle;
    const double load = static_cast<double>(r + v * registers) / machine.loads_per_cycle;
    return std::max({multiply, load, static_cast<double>(machine.fma_latency)});
  };
  Tile best;
  double least = std::numeric_limits<double>::max();
  for (int v = 1; v <= 8 && v <= n; ++v) {
    for (int r = 1; r <= (n == 1 ? 2 : 1) * most_rows && r <= m; ++r) {
      if (!fits(static_cast<int>(r), static_cast<int>(v), registers, machine)) break;
      const auto panel = [&](std::int64_t vectors) {
        const std::int64_t blocks = m / r;
        const double rest = m % r == 0 ? 0 : cycles(m % r, vectors);
        return static_cast<double>(blocks) * cycles(r, vectors) + rest;
      };
      const std::int64_t panels = n / v;
      const double total = static_cast<double>(panels) * panel(v) + static_cast<double>(n % v) * panel(1);
      // Of equally fast tiles one that divides the rows, for less code, and then the one that loads less; vectors
      // stream from farther away than what is broadcast.
      const double uneven = rows.is_constant() && m % r != 0 ? 1 : 0;
      const double loads = static_cast<double>(r + 4 * v) / (r * v);
      const double weighed = total * (1 + (uneven + loads) / 100);
      if (weighed < least) {
        least = weighed;
        best = {r, v};
      }
    }
  }
  return best;
}

}  // namespace lathe
