// Apart from run_graph.cpp, so that tests that only interpret do not need the compiler to link.
#include "run_graph.h"

namespace lathe::test {

Runnable compiled(Program program, const CompileOptions& options) {
  auto executable = compile(std::move(program), options);
  const std::shared_ptr<const Program> shared(executable, &executable->program());
  return {shared, [executable](const abi::Arguments& arguments) { return executable->entry()(&arguments); }};
}

std::vector<Tensor> jit(const Graph& graph, const Feeds& feeds, const Symbols& symbols) {
  return compiled(program_of(graph)).run(feeds, symbols).outputs;
}

}  // namespace lathe::test
