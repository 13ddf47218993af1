#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <lathe/codegen/abi.h>
#include <lathe/codegen/executable.h>
#include <lathe/codegen/lower.h>
#include <lathe/codegen/program.h>
#include <lathe/graph/graph.h>

/// Runs graphs without a session, for tests of everything below the runtime.
namespace lathe::test {

/// Tensors by the name of the placeholder or variable that they are for. A seed that is not fed is 0, a variable that
/// is not given holds zeros.
using Feeds = std::map<std::string, Tensor>;
/// What symbols stand for that no feed's shape says.
using Symbols = std::map<std::string, std::int64_t>;

struct RunResult {
  std::vector<Tensor> outputs;              // in the order of graph.outputs()
  std::map<std::string, Tensor> variables;  // after the run
  std::vector<std::string> printed;         // what each print step said
};

/// 0, 1, ..., n - 1 in f32.
Tensor counted(std::int64_t n);

/// What the graph's outputs need, lowered.
Program program_of(const Graph& graph, const LowerOptions& options = {});

/// A program together with a way to run it.
class Runnable {
 public:
  using Entry = std::function<std::int32_t(const abi::Arguments&)>;
  Runnable(std::shared_ptr<const Program> program, Entry entry)
      : program_(std::move(program)), entry_(std::move(entry)) {}

  /// Throws RunError with the failed check's message, if one fails, or where feeds do not say what a symbol is.
  RunResult run(const Feeds& feeds, const Symbols& symbols = {}) const;
  const Program& program() const { return *program_; }

 private:
  std::shared_ptr<const Program> program_;
  Entry entry_;
};

/// The program, run by the interpreter.
Runnable interpreted(Program program);
/// The program, run as compiled code.
Runnable compiled(Program program, const CompileOptions& options = {});

/// The graph's outputs, by the interpreter.
std::vector<Tensor> interpret(const Graph& graph, const Feeds& feeds, const Symbols& symbols = {});
/// The graph's outputs, by compiled code.
std::vector<Tensor> jit(const Graph& graph, const Feeds& feeds, const Symbols& symbols = {});

/// `values`, named out0, out1, ... and made the graph's outputs.
void set_outputs(Graph& graph, const Values& values);
/// The value of one output, by the interpreter.
Tensor evaluate(const Value& value, const Feeds& feeds = {}, const Symbols& symbols = {});

}  // namespace lathe::test
