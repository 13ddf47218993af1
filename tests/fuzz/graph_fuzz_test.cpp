// Graphs made at random: what fusion, schedules and LLVM make of them must have the bits that the interpreter gets from
// one kernel a node, and touch no memory but their own.
#include <doctest/doctest.h>

#include "../support/difference.h"
#include "../support/random_graph.h"
#include "fenced_memory.h"

using namespace lathe;
using namespace lathe::test;

namespace {

using Results = std::vector<Tensor>;

/// The outputs of three runs, the second with the other feeds; nothing if one was refused, for sizes that do not fit.
std::optional<std::vector<Results>> run(RandomGraph& made, const SessionOptions& options) {
  Session session(made.graph(), options);
  session.initialize(7);
  Callable call = session.prepare(made.outputs, made.inputs);
  const std::vector<TensorView> feeds(made.feeds.begin(), made.feeds.end());
  const std::vector<TensorView> others(made.other_feeds.begin(), made.other_feeds.end());
  std::vector<Results> out;
  try {
    for (const auto* views : {&feeds, &others, &feeds}) {
      const std::span<const Tensor> results = call(std::span<const TensorView>(*views));
      out.emplace_back(results.begin(), results.end());
    }
  } catch (const RunError&) {
    return std::nullopt;
  }
  return out;
}

}  // namespace

TEST_CASE("compiled graphs have the bits of one kernel a node in the interpreter") {
  const auto seeds = random_graph_seeds(200);
  unsigned compared = 0;
  for (const unsigned seed : seeds) {
    CAPTURE(seed);
    RandomGraph made(seed);
    CAPTURE(made.steps());
    const auto expected = run(made, {.threads = 1, .fuse = false, .interpret = true});
    if (expected) ++compared;
    std::vector<SessionOptions> ways = {{.threads = 1, .interpret = true}, {.threads = 1}, {.threads = 2}};
    if (seed % 4 == 0) ways.push_back({.threads = 2, .fuse = false});
    if (seed % 4 == 2 && is_available(InstructionSet::avx2)) ways.push_back({.instruction_set = InstructionSet::avx2});
    for (const SessionOptions& options : ways) {
      CAPTURE(options.threads);
      CAPTURE(options.fuse);
      CAPTURE(options.interpret);
      const auto found = run(made, options);
      REQUIRE(found.has_value() == expected.has_value());
      for (std::size_t i = 0; expected && i < expected->size(); ++i) {
        for (std::size_t output = 0; output < made.outputs.size(); ++output) {
          CAPTURE(i);
          CAPTURE(output);
          CHECK(difference((*expected)[i][output], (*found)[i][output]) == "");
        }
      }
    }
  }
  CHECK(compared > seeds.size() / 2);
}

TEST_CASE("arrays have the bits of a graph's values") {
  eager::Context context({.threads = 2});
  for (const unsigned seed : random_graph_seeds(60)) {
    CAPTURE(seed);
    RandomGraph made = RandomGraph::without_symbols(seed);
    CAPTURE(made.steps());
    const auto expected = run(made, {.threads = 1});
    REQUIRE(expected.has_value());
    const RandomGraph arrays(seed, context);
    REQUIRE(arrays.steps() == made.steps());
    REQUIRE(arrays.outputs.size() == made.outputs.size());
    for (std::size_t output = 0; output < made.outputs.size(); ++output) {
      CAPTURE(output);
      CHECK(difference(expected->front()[output], eager::Array(arrays.outputs[output]).tensor()) == "");
    }
  }
}
