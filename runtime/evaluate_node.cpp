#include <lathe/runtime/evaluate_node.h>

#include <fmt/format.h>

#include <lathe/codegen/executable.h>
#include <lathe/codegen/lower.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/run_program.h>

namespace lathe {
namespace {

/// A graph of one node of `graph`, with placeholders for its inputs.
Graph alone(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  Graph out;
  out.adopt_symbols(graph);
  std::vector<ValueId> inputs;
  for (const ValueId input : node.inputs) {
    const TensorType& type = graph.type(input);
    inputs.push_back(out.apply({.op = op::placeholder,
                                .attributes = {{"dtype", type.dtype}, {"shape", type.shape}},
                                .name = node.name + "/input"})
                         .id());
  }
  const NodeId copy = out.adopt(node, std::move(inputs), {});
  std::vector<Graph::Output> outputs;
  for (std::uint32_t output = 0; output < node.outputs.size(); ++output) {
    outputs.push_back({fmt::format("{}", output), {copy, output}});
  }
  out.set_outputs(std::move(outputs));
  return out;
}

}  // namespace

std::vector<Tensor> evaluate_node(const Graph& graph, NodeId id, std::span<const TensorView> inputs,
                                  const Bindings& bindings) {
  const Executable executable(lower(alone(graph, id), {.fuse = false}));
  const ProgramInterface& interface = executable.interface();
  Bindings bound;
  std::vector<std::int64_t> symbols;
  for (const SymbolId symbol : interface.symbols) {
    symbols.push_back(graph.resolve(Dim(symbol)).evaluate(bindings));
    bound.bind(symbol, symbols.back());
  }
  std::vector<const void*> input_data;
  for (const TensorView& input : inputs) input_data.push_back(input.data);
  std::vector<Tensor> outputs;
  std::vector<void*> output_data;
  for (const TensorType& type : interface.outputs) {
    outputs.emplace_back(type.dtype, evaluate(type.shape, bound));
    output_data.push_back(outputs.back().bytes().data());
  }
  Tensor arena(DType::u8, {interface.arena_bytes.evaluate(bound)});
  abi::Arguments arguments{};
  arguments.inputs = input_data.data();
  arguments.outputs = output_data.data();
  arguments.constants = executable.constants();
  arguments.arena = arena.bytes().data();
  arguments.symbols = symbols.data();
  run_program(executable, arguments);
  return outputs;
}

}  // namespace lathe
