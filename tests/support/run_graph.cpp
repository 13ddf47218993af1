#include "run_graph.h"

#include <fmt/format.h>

#include <lathe/codegen/denormals.h>
#include <lathe/codegen/interface.h>
#include <lathe/codegen/loop/interpret.h>
#include <lathe/graph/passes/dead_code.h>
#include <lathe/runtime/run_program.h>

namespace lathe::test {
namespace {

/// Learns what symbols stand for from a fed tensor; other extents must come out as fed.
void bind(Bindings& bindings, const ProgramTensor& input, const Tensor& tensor) {
  if (tensor.dtype() != input.type.dtype || tensor.rank() != input.type.rank()) {
    throw RunError(fmt::format("'{}' is {}, fed with {}", input.name, to_string(input.type), to_string(tensor.type())));
  }
  for (std::size_t axis = 0; axis < tensor.rank(); ++axis) {
    const auto symbol = input.type.shape[axis].as_symbol();
    if (symbol) bindings.bind(*symbol, tensor.shape()[axis]);
  }
}

void check_extents(const Bindings& bindings, const ProgramTensor& input, const Tensor& tensor) {
  const Extents expected = evaluate(input.type.shape, bindings);
  if (expected == tensor.shape()) return;
  throw RunError(fmt::format("'{}' is fed with shape {}, the other feeds make it {}", input.name,
                             to_string(tensor.shape()), to_string(expected)));
}

std::string failure_message(const Program& program, const abi::Failure& failure) {
  return check_message(program.pool->checks()[static_cast<std::size_t>(failure.check)], std::to_string(failure.index),
                       std::to_string(failure.detail));
}

/// What print steps report to.
struct Printer {
  const Program& program;
  std::vector<std::string>& lines;
};

void print_step(void* context, std::int64_t step, const void*) {
  auto& printer = *static_cast<Printer*>(context);
  const auto& host = std::get<loop::HostStep>(printer.program.steps.at(static_cast<std::size_t>(step)));
  printer.lines.push_back(host.message);
}

Tensor given_or_zeros(const ProgramTensor& tensor, const Feeds& feeds, const Bindings& bindings) {
  const auto fed = feeds.find(tensor.name);
  return fed != feeds.end() ? fed->second : Tensor(tensor.type.dtype, evaluate(tensor.type.shape, bindings));
}

}  // namespace

RunResult Runnable::run(const Feeds& feeds, const Symbols& symbols) const {
  const FlushDenormals flush;
  const Program& program = *program_;
  Bindings bindings;
  for (const auto& [name, number] : symbols) bindings.bind(symbol(name), number);
  for (const loop::TensorId id : program.inputs) {
    const auto fed = feeds.find(program.tensor(id).name);
    if (fed != feeds.end()) bind(bindings, program.tensor(id), fed->second);
  }
  std::vector<std::int64_t> numbers;
  for (const SymbolId id : program.symbols) numbers.push_back(Dim(id).evaluate(bindings));

  std::vector<Tensor> inputs;
  for (const loop::TensorId id : program.inputs) {
    inputs.push_back(given_or_zeros(program.tensor(id), feeds, bindings));
    check_extents(bindings, program.tensor(id), inputs.back());
  }
  std::vector<Tensor> variables;
  for (const loop::TensorId id : program.variables) {
    variables.push_back(given_or_zeros(program.tensor(id), feeds, bindings));
  }
  RunResult result;
  for (const loop::TensorId id : program.outputs) {
    result.outputs.emplace_back(program.tensor(id).type.dtype, evaluate(program.tensor(id).type.shape, bindings));
  }
  // A tensor is the aligned memory at hand.
  Tensor arena(DType::u8, {program.arena_bytes.evaluate(bindings)});

  std::vector<const void*> input_pointers;
  std::vector<void*> output_pointers;
  std::vector<void*> variable_pointers;
  for (const Tensor& tensor : inputs) input_pointers.push_back(TensorView(tensor).data);
  for (Tensor& tensor : result.outputs) output_pointers.push_back(tensor.bytes().data());
  for (Tensor& tensor : variables) variable_pointers.push_back(tensor.bytes().data());
  const std::vector<const void*> constant_pointers = constant_addresses(interface_of(program));
  abi::Failure failure{abi::no_check, 0, 0, 0};
  Printer printer{program, result.printed};
  const abi::Arguments arguments{.inputs = input_pointers.data(),
                                 .outputs = output_pointers.data(),
                                 .variables = variable_pointers.data(),
                                 .constants = constant_pointers.data(),
                                 .arena = arena.bytes().data(),
                                 .symbols = numbers.data(),
                                 .parallel_for = nullptr,
                                 .parallel_context = nullptr,
                                 .host = print_step,
                                 .host_context = &printer,
                                 .failure = &failure,
                                 .ticks = nullptr};
  if (entry_(arguments) != 0) throw RunError(failure_message(program, failure));
  for (std::size_t slot = 0; slot < variables.size(); ++slot) {
    result.variables.emplace(program.tensor(program.variables[slot]).name, std::move(variables[slot]));
  }
  return result;
}

Tensor counted(std::int64_t n) {
  Tensor tensor(f32, {n});
  for (std::int64_t i = 0; i < n; ++i) tensor.data<float>()[static_cast<std::size_t>(i)] = static_cast<float>(i);
  return tensor;
}

Program program_of(const Graph& graph, const LowerOptions& options) {
  return lower(eliminate_dead_code(graph), options);
}

Runnable interpreted(Program program) {
  auto shared = std::make_shared<const Program>(std::move(program));
  return {shared, [shared](const abi::Arguments& arguments) { return loop::interpret(*shared, arguments); }};
}

std::vector<Tensor> interpret(const Graph& graph, const Feeds& feeds, const Symbols& symbols) {
  return interpreted(program_of(graph)).run(feeds, symbols).outputs;
}

void set_outputs(Graph& graph, const Values& values) {
  std::vector<Graph::Output> outputs;
  for (const Value& value : values) outputs.push_back({fmt::format("out{}", outputs.size()), value.id()});
  graph.set_outputs(std::move(outputs));
}

Tensor evaluate(const Value& value, const Feeds& feeds, const Symbols& symbols) {
  set_outputs(value.graph(), {value});
  return interpret(value.graph(), feeds, symbols).front();
}

}  // namespace lathe::test
