#include <lathe/codegen/tile.h>

#include <utility>

#include <doctest/doctest.h>

#include <lathe/graph/dim.h>

using namespace lathe;

namespace {

const MachineModel avx512 = machine_model(InstructionSet::avx512);
const MachineModel avx2 = machine_model(InstructionSet::avx2);

}  // namespace

TEST_CASE("register tiles fill the machine's accumulators and divide what they cover") {
  const auto rows_and_vectors = [](const Dim& rows, const Dim& columns, int bytes, const MachineModel& machine) {
    const Tile tile = choose_tile(rows, columns, bytes == 8 ? 8 : 16, bytes, machine);
    return std::pair(tile.rows, tile.vectors);
  };
  CHECK(rows_and_vectors(784, 128, 4, avx512) == std::pair(8, 2));
  CHECK(rows_and_vectors(dim("batch"), 128, 4, avx512) == std::pair(8, 2));
  CHECK(rows_and_vectors(dim("batch"), 128, 8, avx512) == std::pair(8, 2));
  CHECK(rows_and_vectors(dim("batch"), 10, 4, avx512) == std::pair(16, 1));
  CHECK(rows_and_vectors(12, 160, 4, avx2) == std::pair(6, 1));
  // One row: several vectors hide the latency of the chains.
  CHECK(rows_and_vectors(1, 128, 4, avx512).second >= 4);
}
