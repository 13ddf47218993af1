#include <lathe/runtime/eager/kernels.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <lathe/ops/source.h>
#include <lathe/runtime/compile.h>
#include <lathe/runtime/eager/generaliser.h>
#include <lathe/runtime/log.h>
#include <lathe/runtime/slots.h>

namespace lathe::eager {
namespace {

/// More are not kept: code for sizes that never come again must not pile up.
constexpr std::size_t most_kernels = 1024;

/// The numbers of all extents: the inputs', then those in attributes.
std::vector<std::int64_t> numbers_of(const Node& node, std::span<const TensorType> inputs) {
  std::vector<std::int64_t> numbers;
  const auto add = [&](const Shape& shape) {
    for (const Dim& extent : shape) numbers.push_back(extent.as_constant().value_or(-1));
  };
  for (const TensorType& input : inputs) add(input.shape);
  for (const auto& [name, value] : node.attributes) {
    if (const Shape* shape = std::get_if<Shape>(&value)) add(*shape);
  }
  return numbers;
}

/// The op in a graph of its own. Throws GraphError where its type rule has to know more of the extents.
Kernel kernel_of(const Node& node, std::span<const TensorType> inputs, Known known) {
  auto graph = std::make_shared<Graph>();
  Generaliser generalise(known, "e");
  Values placed;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    placed.push_back(placeholder(*graph, fmt::format("in{}", i), inputs[i].dtype, generalise(inputs[i].shape)));
  }
  Attributes attributes = node.attributes;
  for (const auto& [name, value] : node.attributes) {
    if (const Shape* shape = std::get_if<Shape>(&value)) attributes.set(name, generalise(*shape));
  }
  const Value out = graph->apply(
      {.op = *node.op, .inputs = std::move(placed), .attributes = std::move(attributes), .where = SourceLine()});
  graph->set_outputs({{"out", out.id()}});
  Kernel kernel;
  kernel.graph = std::move(graph);
  kernel.extents = generalise.extents();
  return kernel;
}

/// What the kernel's symbols stand for among these extents, if it is right for them and the result's type.
std::optional<Bindings> fit(const Kernel& kernel, std::span<const std::int64_t> numbers, const TensorType& result) {
  Bindings bindings;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto symbol = kernel.extents[i].as_symbol();
    if (symbol) {
      bindings.bind(*symbol, numbers[i]);
    } else if (kernel.extents[i].as_constant().value_or(-1) != numbers[i]) {
      return std::nullopt;
    }
  }
  const auto means = [&](const Dim& extent, std::int64_t number) { return extent.evaluate(bindings) == number; };
  for (const auto& [symbol, meaning] : kernel.graph->equalities()) {
    if (!means(meaning, *bindings.find(symbol))) return std::nullopt;
  }
  const Shape& shape = kernel.graph->type(kernel.graph->outputs().front().value).shape;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (!means(shape[axis], result.shape[axis].constant())) return std::nullopt;
  }
  return bindings;
}

BoundKernel bound(std::shared_ptr<const Kernel> kernel, const Bindings& bindings) {
  const ProgramInterface& interface = kernel->executable->interface();
  BoundKernel out;
  for (const SymbolId symbol : interface.symbols) {
    out.symbols.push_back(kernel->graph->resolve(Dim(symbol)).evaluate(bindings));
    out.bindings.bind(symbol, out.symbols.back());
  }
  out.arena_bytes = static_cast<std::size_t>(interface.arena_bytes.evaluate(out.bindings));
  out.kernel = std::move(kernel);
  return out;
}

}  // namespace

Kernels::Family& Kernels::family(const Node& node, std::span<const TensorType> inputs) {
  Family wanted{node.attributes, {}, {}};
  for (const auto& [name, value] : node.attributes) {
    if (const Shape* shape = std::get_if<Shape>(&value)) wanted.attributes.set(name, Shape(shape->size()));
  }
  for (const TensorType& input : inputs) wanted.inputs.emplace_back(input.dtype, input.rank());
  std::vector<Family>& families = families_[node.op];
  const auto found = std::find_if(families.begin(), families.end(), [&](const Family& family) {
    return family.inputs == wanted.inputs && family.attributes == wanted.attributes;
  });
  return found != families.end() ? *found : families.emplace_back(std::move(wanted));
}

BoundKernel Kernels::find(const Node& node, std::span<const TensorType> inputs) {
  const std::vector<std::int64_t> numbers = numbers_of(node, inputs);
  for (const auto& kernel : family(node, inputs).kernels) {
    if (const auto bindings = fit(*kernel, numbers, node.outputs.front())) return bound(kernel, *bindings);
  }
  if (count_ == most_kernels) {
    families_.clear();
    count_ = 0;
  }
  for (const Known known : {Known::none, Known::ones, Known::inner, Known::all}) {
    try {
      auto kernel = std::make_shared<Kernel>(kernel_of(node, inputs, known));
      const auto bindings = fit(*kernel, numbers, node.outputs.front());
      if (!bindings) continue;
      compile(*kernel);
      family(node, inputs).kernels.push_back(kernel);
      ++count_;
      return bound(std::move(kernel), *bindings);
    } catch (const GraphError&) {
      if (known == Known::all) throw;
    }
  }
  ensure(false, fmt::format("no kernel of '{}' fits the types that it was made for", node.op->name));
  return {};
}

void Kernels::compile(Kernel& kernel) {
  const std::string& name = kernel.graph->node(kernel.graph->outputs().front().value.node).op->name;
  const std::filesystem::path dump =
      options_.dump.empty() ? options_.dump : options_.dump / fmt::format("kernel_{:03}_{}", compiled_, name);
  CompiledGraph made = compile_graph(*kernel.graph, options_, dump);
  kernel.executable = std::move(made.executable);
  for (const std::string& input : made.slots.inputs) {
    kernel.inputs.push_back(static_cast<std::size_t>(std::stoul(input.substr(2))));
  }
  for (const CompilePhase& phase : made.phases) compile_milliseconds_ += phase.milliseconds;
  ++(made.cache.hit ? found_ : compiled_);
  log("cache", fmt::format("kernel '{}' {}", name, to_string(made.cache)));
}

}  // namespace lathe::eager
