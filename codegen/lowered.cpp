#include <lathe/codegen/lowered.h>

#include <algorithm>
#include <cstring>
#include <map>

#include <fmt/format.h>

namespace lathe {

using loop::AxisId;
using loop::Definition;
using loop::Expr;
using loop::ExprId;
using loop::TensorId;

TensorId Lowered::add(ProgramTensor tensor, std::string node, std::optional<Definition> definition) {
  tensors.push_back(std::move(tensor));
  nodes.push_back(std::move(node));
  definitions.push_back(std::move(definition));
  return static_cast<TensorId>(tensors.size() - 1);
}

const ExprId* Lowered::expression(TensorId id) const {
  const auto& definition = this->definition(id);
  return definition ? std::get_if<ExprId>(&definition->value) : nullptr;
}

const loop::Reduce* Lowered::reduction(TensorId id) const {
  const ExprId* root = expression(id);
  return root ? std::get_if<loop::Reduce>(&pool->node(*root)) : nullptr;
}

bool Lowered::is_contraction(TensorId id) const {
  const loop::Reduce* reduce = reduction(id);
  return reduce && reduce->op == loop::ReduceOp::contract;
}

std::vector<ExprId> Lowered::roots(TensorId id) const {
  if (const ExprId* root = expression(id)) return {*root};
  const auto& definition = this->definition(id);
  if (!definition) return {};
  const auto& scatter = std::get<loop::Scatter>(definition->value);
  std::vector<ExprId> roots = scatter.target;
  roots.push_back(scatter.value);
  return roots;
}

std::vector<loop::Load> Lowered::loads(TensorId id) const {
  std::vector<loop::Load> loads = loads_in(*pool, roots(id));
  if (const auto& definition = this->definition(id)) {
    if (const auto* scatter = std::get_if<loop::Scatter>(&definition->value)) loads.push_back({scatter->base, {}});
  }
  return loads;
}

bool Lowered::has_check(TensorId id) const {
  return contains_check(*pool, roots(id));
}

std::vector<loop::Load> loads_in(const loop::Pool& pool, std::span<const ExprId> roots) {
  std::vector<loop::Load> loads;
  for (const ExprId id : post_order(pool, roots)) {
    if (const auto* load = std::get_if<loop::Load>(&pool.node(id))) loads.push_back(*load);
  }
  return loads;
}

bool contains_check(const loop::Pool& pool, std::span<const ExprId> roots) {
  const std::vector<ExprId> order = post_order(pool, roots);
  return std::any_of(order.begin(), order.end(),
                     [&](ExprId id) { return std::holds_alternative<loop::Check>(pool.node(id)); });
}

namespace {

class Definer {
 public:
  explicit Definer(const Graph& graph) : graph_(graph) {}

  Lowered run() {
    for (const NodeId id : graph_.node_ids()) define(id);
    for (std::uint32_t slot = 0; slot < graph_.outputs().size(); ++slot) {
      const Graph::Output& output = graph_.outputs()[slot];
      const TensorId value = tensor_of_.at(output.value);
      const TensorId destination =
          out_.add({output.name, out_.tensor(value).type, Role::output, slot, {}, {}}, output.name);
      out_.outputs.push_back(destination);
      out_.targets.push_back({computed(value, output.name), destination});
    }
    return std::move(out_);
  }

 private:
  void define(NodeId id) {
    const Node& node = graph_.node(id);
    switch (node.op->kind) {
      case Kind::placeholder:
        out_.inputs.push_back(source(id, Role::input, static_cast<std::uint32_t>(out_.inputs.size())));
        return;
      case Kind::variable:
        out_.variables.push_back(source(id, Role::variable, static_cast<std::uint32_t>(out_.variables.size())));
        return;
      case Kind::constant: constant(id); return;
      case Kind::assign: assign(id); return;
      default: break;
    }
    std::vector<TensorId> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(tensor_of_.at(input));
    loop::Body body(*out_.pool, graph_, id, std::move(inputs));
    node.op->lower(body);
    std::vector<Definition> definitions = body.take();
    for (std::uint32_t output = 0; output < definitions.size(); ++output) {
      Definition& definition = definitions[output];
      if (auto* root = std::get_if<ExprId>(&definition.value)) *root = split(*root, definition.axes.size(), node.name);
      const std::string name = output == 0 ? node.name : fmt::format("{}:{}", node.name, output);
      tensor_of_[{id, output}] =
          out_.add({name, node.outputs[output], Role::dissolved, 0, {}, {}}, node.name, definition);
    }
    if (node.op->kind == Kind::host) {
      out_.host_steps.push_back({node.attributes.get<std::string>("message"), tensor_of_.at({id, 0})});
    }
  }

  TensorId source(NodeId id, Role role, std::uint32_t slot) {
    const Node& node = graph_.node(id);
    return tensor_of_[{id, 0}] = out_.add({node.name, node.outputs[0], role, slot, {}, {}}, node.name);
  }

  // A constant whose elements are all the same needs no memory.
  void constant(NodeId id) {
    const Node& node = graph_.node(id);
    const auto& value = node.attributes.get<std::shared_ptr<const Tensor>>("value");
    const std::span<const std::byte> bytes = value->bytes();
    const std::size_t width = size_of(value->dtype());
    bool uniform = !bytes.empty();
    for (std::size_t at = width; at < bytes.size() && uniform; at += width) {
      uniform = std::memcmp(bytes.data(), bytes.data() + at, width) == 0;
    }
    ProgramTensor tensor{node.name, node.outputs[0], Role::constant, 0, value, {}};
    if (!uniform) {
      tensor_of_[{id, 0}] = out_.add(std::move(tensor), node.name);
      return;
    }
    tensor.role = Role::dissolved;
    tensor.constant = nullptr;
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes.data(), width);
    if (value->dtype() == i64) bits = static_cast<std::uint64_t>(value->data<std::int64_t>()[0]);
    Definition definition{fresh_axes(tensor.type.shape), out_.pool->constant_bits(value->dtype(), bits).id};
    tensor_of_[{id, 0}] = out_.add(std::move(tensor), node.name, std::move(definition));
  }

  void assign(NodeId id) {
    const Node& node = graph_.node(id);
    const TensorId variable = tensor_of_.at(node.inputs[0]);
    ensure(out_.tensor(variable).role == Role::variable,
           fmt::format("{} assigns to something else than a variable", describe(node)));
    for (const Target& target : out_.targets) {
      if (target.destination != variable) continue;
      throw CompileError(
          fmt::format("{}: '{}' is assigned twice in one run", describe(node), out_.tensor(variable).name));
    }
    const TensorId value = computed(tensor_of_.at(node.inputs[1]), node.name);
    out_.targets.push_back({value, variable});
    tensor_of_[{id, 0}] = value;
  }

  // What is stored needs a definition to store: inputs, variables and constants get one that copies. So does what a
  // scatter makes, in one place, if it goes to another, too.
  TensorId computed(TensorId tensor, const std::string& node) {
    const std::optional<Definition>& definition = out_.definition(tensor);
    const bool goes_elsewhere = definition && std::holds_alternative<loop::Scatter>(definition->value) &&
                                std::any_of(out_.targets.begin(), out_.targets.end(),
                                            [&](const Target& target) { return target.tensor == tensor; });
    if (definition && !goes_elsewhere) return tensor;
    const TensorType type = out_.tensor(tensor).type;
    Definition copy{fresh_axes(type.shape), ExprId{}};
    std::vector<ExprId> indices;
    for (const AxisId axis : copy.axes) indices.push_back(out_.pool->index(axis).id);
    copy.value = out_.pool->load(tensor, type.dtype, std::move(indices)).id;
    return out_.add({out_.tensor(tensor).name, type, Role::dissolved, 0, {}, {}}, node, std::move(copy));
  }

  std::vector<AxisId> fresh_axes(const Shape& shape) {
    std::vector<AxisId> axes;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      axes.push_back(out_.pool->make_axis(shape[d], std::string(1, static_cast<char>('i' + d % 16))));
    }
    return axes;
  }

  /// The axes that an expression varies with: not those its own reductions run over.
  std::vector<AxisId> free_axes(ExprId root) const {
    std::map<ExprId, std::vector<AxisId>> free;
    const ExprId roots[] = {root};
    for (const ExprId id : post_order(*out_.pool, roots)) {
      std::vector<AxisId>& axes = free[id];
      if (const auto* index = std::get_if<loop::AxisIndex>(&out_.pool->node(id))) axes.push_back(index->axis);
      for (const ExprId operand : out_.pool->operands(id)) {
        for (const AxisId axis : free.at(operand)) {
          if (std::find(axes.begin(), axes.end(), axis) == axes.end()) axes.push_back(axis);
        }
      }
      if (const auto* reduce = std::get_if<loop::Reduce>(&out_.pool->node(id))) {
        std::erase_if(axes, [&](AxisId axis) {
          return std::find(reduce->axes.begin(), reduce->axes.end(), axis) != reduce->axes.end();
        });
      }
    }
    std::vector<AxisId> axes = free.at(root);
    std::sort(axes.begin(), axes.end());
    return axes;
  }

  // Innermost first, every reduction below the top moves into a tensor of its own, and so does a check that is the same
  // along some of the definition's `rank` axes.
  ExprId split(ExprId root, std::size_t rank, const std::string& node) {
    std::map<ExprId, ExprId> done;
    const ExprId roots[] = {root};
    for (const ExprId id : post_order(*out_.pool, roots)) {
      std::vector<ExprId> operands = out_.pool->operands(id);
      for (ExprId& operand : operands) operand = done.at(operand);
      Expr result = operands.empty() ? out_.pool->wrap(id) : out_.pool->with_operands(id, operands);
      if (id != root) {
        const bool check = std::holds_alternative<loop::Check>(result.node()) && free_axes(result.id).size() < rank;
        if (check) result = move_out(result, node, "check");
        if (std::holds_alternative<loop::Reduce>(result.node())) result = move_out(result, node, "reduce");
      }
      done.emplace(id, result.id);
    }
    return done.at(root);
  }

  Expr move_out(Expr value, const std::string& node, const char* part) {
    const std::vector<AxisId> outer = free_axes(value.id);
    loop::Substitution rename(*out_.pool);
    Definition definition;
    ProgramTensor tensor{fmt::format("{}/{}", node, part), {value.dtype(), {}}, Role::dissolved, 0, {}, {}};
    std::vector<ExprId> indices;
    for (const AxisId axis : outer) {
      const loop::AxisInfo info = out_.pool->axis(axis);
      definition.axes.push_back(out_.pool->make_axis(info.extent, info.name));
      rename.replace(axis, out_.pool->index(definition.axes.back()));
      tensor.type.shape.push_back(info.extent);
      indices.push_back(out_.pool->index(axis).id);
    }
    definition.value = rename(value.id);
    const DType dtype = value.dtype();
    const TensorId id = out_.add(std::move(tensor), node, std::move(definition));
    return out_.pool->load(id, dtype, std::move(indices));
  }

  const Graph& graph_;
  Lowered out_;
  std::map<ValueId, TensorId> tensor_of_;
};

}  // namespace

Lowered define(const Graph& graph) {
  return Definer(graph).run();
}

}  // namespace lathe
