// Graphs made at random, compiled ahead of time: a session's bits, variables' too, in memory of their own alone.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/runtime/seeds.h>

#include "../support/aot_library.h"
#include "../support/difference.h"
#include "../support/random_graph.h"
#include "fenced_memory.h"

using namespace lathe;
using namespace lathe::test;

namespace {

constexpr std::uint64_t seed_of_variables = 7;

/// One that gives variables their start, and one that gives each output: out0, out1, ...
std::vector<aot::Function> functions_of(const RandomGraph& made) {
  aot::Function run{.name = "run"};
  for (const Value& input : made.inputs) run.feeds.emplace_back(input);
  for (const Value& output : made.outputs) run.fetches.emplace_back(fmt::format("out{}", run.fetches.size()), output);
  return {aot::initialize("init"), run};
}

/// Three runs, the second with the other feeds, in a session and in the library: the same outputs, or both refuse.
void compare(RandomGraph& made, Session& session, AotRunner& runner) {
  Callable call = session.prepare(made.outputs, made.inputs);
  std::uint64_t runs = 0;
  for (const auto* feeds : {&made.feeds, &made.other_feeds, &made.feeds}) {
    CAPTURE(runs);
    Feeds named;
    for (std::size_t i = 0; i < feeds->size(); ++i) named.emplace(made.inputs[i].name(), (*feeds)[i]);
    runner.seed = split_mix(seed_of_variables, runs++);
    const std::vector<TensorView> views(feeds->begin(), feeds->end());
    std::span<const Tensor> expected;
    try {
      expected = call(std::span<const TensorView>(views));
    } catch (const RunError&) {
      CHECK_THROWS_AS(runner.run("run", named), RunError);
      return;
    }
    const std::map<std::string, Tensor> found = runner.run("run", named);
    REQUIRE(found.size() == expected.size());
    for (std::size_t output = 0; output < expected.size(); ++output) {
      CAPTURE(output);
      CHECK(difference(expected[output], found.at(fmt::format("out{}", output))) == "");
    }
  }
}

}  // namespace

TEST_CASE("graphs compiled ahead of time have a session's bits") {
  const std::vector<std::vector<aot::Target>> targets = runnable_targets();
  for (const unsigned seed : random_graph_seeds(60)) {
    CAPTURE(seed);
    RandomGraph made(seed);
    CAPTURE(made.steps());
    Session session(made.graph(), {.threads = 1});
    session.initialize(seed_of_variables);
    const AotLibrary library(made.graph(), functions_of(made), {.targets = targets[seed % targets.size()]});
    AotRunner runner(library);
    runner.seed = seed_of_variables;
    runner.run("init");
    compare(made, session, runner);
    for (const LibraryVariable& variable : library.spec().variables) {
      CAPTURE(variable.name);
      CHECK(difference(session.variable(variable.name), runner.variable(variable.name)) == "");
    }
  }
}
