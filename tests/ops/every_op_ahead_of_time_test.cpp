// Every op of the registry, compiled ahead of time: the JIT's bits.
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "../support/aot_library.h"
#include "../support/op_samples.h"
#include "../support/run_graph.h"

using namespace lathe;
using namespace lathe::test;

namespace {

/// A sample of each op under a name that C takes; its outputs are out0, out1, ...
aot::Function function_of(SampleGraph& sample) {
  aot::Function function{.name = "run"};
  for (const Value& input : sample.inputs) function.feeds.emplace_back(input.name(), input);
  for (const Value& output : sample.outputs()) {
    function.fetches.emplace_back(fmt::format("out{}", function.fetches.size()), output);
  }
  return function;
}

}  // namespace

TEST_CASE("every op compiled ahead of time gives the JIT's bits, one object at all sizes") {
  std::mt19937_64 random(5);
  for (const Op* op : all_ops()) {
    const Samples samples = op->samples();
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::string name = fmt::format("{}, sample {}", op->name, i);
      CAPTURE(name);
      const Sample& sample = samples[i];
      const auto graph = graph_of(*op, sample);
      const AotLibrary library(graph->graph, {function_of(*graph)});
      AotRunner runner(library);
      const Runnable jitted = compiled(program_of(graph->graph));
      for (const std::int64_t size : {0, 1, 7, 8, 9, 17, 33}) {
        CAPTURE(size);
        const Feeds feeds = feeds_of(*graph, sample, size, random);
        const Symbols symbols = symbols_of(sample, size);
        const std::map<std::string, Tensor> actual = runner.run("run", feeds, symbols);
        const std::vector<Tensor> expected = jitted.run(feeds, symbols).outputs;
        for (const auto& [output, tensor] : actual) {
          CAPTURE(output);
          CHECK(tensor == expected.at(static_cast<std::size_t>(std::stoi(output.substr(3)))));
        }
        // A group gives nothing: there is nobody to tell that all is done.
        CHECK(actual.size() == (op->name == "group" ? 0 : expected.size()));
      }
    }
  }
}
