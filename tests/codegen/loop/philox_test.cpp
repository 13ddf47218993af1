#include <array>

#include <doctest/doctest.h>

#include "program_builder.h"

#include <lathe/codegen/loop/math.h>

using namespace lathe;
using namespace lathe::loop;

namespace {

using Block = std::array<std::uint32_t, 4>;

/// The four words for given seeds, streams and indices, one block a row.
std::vector<Block> blocks(const std::vector<std::array<std::uint64_t, 3>>& seed_stream_index) {
  test::ProgramBuilder b;
  const auto n = static_cast<std::int64_t>(seed_stream_index.size());
  const TensorId arguments = b.input("arguments", {i64, {n, 3}});
  const TensorId words = b.output("words", {i64, {n, 4}});
  const AxisId i = b.pool().make_axis(n, "i");
  const auto argument = [&](std::int64_t column) { return b.load(arguments, {b.index(i), b.pool().extent(column)}); };
  Kernel kernel = test::kernel("philox", {i});
  Stage stage;
  for (int word = 0; word < 4; ++word) {
    stage.yields.push_back(
        b.store(philox(argument(0), argument(1), argument(2), word), words, {b.index(i), b.pool().extent(word)}));
  }
  kernel.stages.push_back(stage);
  b.program.steps.emplace_back(kernel);

  Tensor in(i64, {n, 3});
  std::size_t at = 0;
  for (const auto& row : seed_stream_index) {
    for (const std::uint64_t value : row) in.data<std::int64_t>()[at++] = static_cast<std::int64_t>(value);
  }
  const Tensor out = b.run({in}).outputs[0];
  std::vector<Block> result(seed_stream_index.size());
  for (std::size_t row = 0; row < result.size(); ++row) {
    for (std::size_t word = 0; word < 4; ++word) {
      const std::int64_t value = out.data<std::int64_t>()[row * 4 + word];
      CHECK(value >= 0);
      CHECK(value <= 0xffffffff);
      result[row][word] = static_cast<std::uint32_t>(value);
    }
  }
  return result;
}

}  // namespace

// From Random123 1.14, examples/kat_vectors: philox4x32, 10 rounds. Counter words are index and stream, low word first.
TEST_CASE("Philox4x32-10 gives Random123's known answers") {
  const auto ones = ~std::uint64_t{0};
  const std::vector<Block> words =
      blocks({{0, 0, 0}, {ones, ones, ones}, {0x299f31d0'a4093822, 0x03707344'13198a2e, 0x85a308d3'243f6a88}});
  CHECK(words[0] == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(words[1] == Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words[2] == Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a different seed, stream or index gives a different block") {
  const std::vector<Block> words = blocks({{1, 2, 3}, {2, 2, 3}, {1, 3, 3}, {1, 2, 4}, {1, 2, 3}});
  for (std::size_t other = 1; other < 4; ++other) CHECK(words[other] != words[0]);
  CHECK(words[4] == words[0]);
}

TEST_CASE("constant arguments of any size are no trouble to the pool's folding") {
  Pool pool;
  const Expr largest = pool.extent(INT64_MAX);
  CHECK_NOTHROW(philox(largest, largest, largest, 3));
}
