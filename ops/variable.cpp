#include <lathe/ops/variable.h>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/rules.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

std::vector<TensorType> infer_variable(const InferContext& context) {
  const TensorType type{context.attribute<DType>("dtype"), context.graph.resolve(context.attribute<Shape>("shape"))};
  for (const Dim& extent : type.shape) {
    if (!extent.is_constant()) {
      context.fail(
          fmt::format("its shape {} holds a symbol, and a variable needs room of a known size", to_string(type.shape)));
    }
  }
  return {type};
}

std::vector<TensorType> infer_assign(const InferContext& context) {
  const Node& target = context.graph.node(context.node.inputs[0].node);
  if (target.op->kind != Kind::variable) context.fail(fmt::format("{} is not a variable", describe(target)));
  const TensorType& old_type = context.in(0);
  const TensorType& new_type = context.in(1);
  const std::string mismatch =
      fmt::format("variable '{}' is {}, the new value is {}", target.name, to_string(old_type), to_string(new_type));
  if (old_type.dtype != new_type.dtype || old_type.rank() != new_type.rank()) context.fail(mismatch);
  for (std::size_t axis = 0; axis < old_type.rank(); ++axis) {
    context.unify(context.in(0).shape[axis], context.in(1).shape[axis], mismatch);
  }
  return {context.in(0)};
}

}  // namespace

namespace op {

const Op variable{{
    .name = "variable",
    .doc = "State that outlives a run; reads see the value from before it.",
    .kind = Kind::variable,
    .attributes = {{"dtype", "Of the elements.", {}},
                   {"shape", "Without symbols.", {}},
                   {"trainable", "Whether training may change it.", true}},
    .infer = infer_variable,
    .gradient = no_inputs,
    .bad_samples = []() -> BadSamples {
      return {{.in = {},
               .attributes = {{"dtype", DType::f32}, {"shape", Shape{dim("n")}}},
               .error = "a variable needs room of a known size"}};
    },
}};

const Op assign{{
    .name = "assign",
    .doc = "Gives a variable its value after the run, which is also the result.",
    .kind = Kind::assign,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"initializer", "Whether this is how the variable gets its first value.", false}},
    .infer = infer_assign,
    .gradient = [](const GradientContext& g) -> Values {
      return {Value(), g.dy()};
    },
    .lower = [](loop::Body& body) { body.yield(body.in(1)); },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2}}, {DType::f32, {2}}}, .error = "is not a variable"}};
    },
}};

}  // namespace op

Variable variable(Graph& graph, std::string_view name, Value initial, VariableOptions options,
                  std::source_location where) {
  const Value value = graph.apply(
      {.op = op::variable,
       .attributes = {{"dtype", initial.dtype()}, {"shape", initial.shape()}, {"trainable", options.trainable}},
       .name = std::string(name),
       .where = where});
  const Value initializer = graph.apply({.op = op::assign,
                                         .inputs = {value, initial},
                                         .attributes = {{"initializer", true}},
                                         .name = fmt::format("{}/initializer", name),
                                         .where = where});
  return {value, initializer};
}

Variable variable(Graph& graph, std::string_view name, Tensor initial, VariableOptions options,
                  std::source_location where) {
  return variable(graph, name, constant(graph, std::move(initial), where), options, where);
}

Values trainable_variables(Graph& graph) {
  Values variables;
  for (const NodeId id : graph.node_ids()) {
    const Node& node = graph.node(id);
    if (node.op->kind == Kind::variable && node.attributes.get<bool>("trainable"))
      variables.push_back({graph, {id, 0}});
  }
  return variables;
}

Value assign(Value variable, Value value, std::source_location where) {
  Graph& graph = variable.graph();
  return graph.apply({.op = op::assign, .inputs = {variable, value}, .where = where});
}

Value assign_add(Value variable, Value delta, std::source_location where) {
  return assign(variable, Operand(variable, where) + delta, where);
}

}  // namespace lathe
