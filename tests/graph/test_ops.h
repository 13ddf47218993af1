#pragma once

#include <lathe/graph/graph.h>

// A few ops in the shape of real ones, so that the graph is tested without ops/. Names start with "test_", because the
// registry also holds the library's own ops. Included by one .cpp of a program.
namespace lathe::test {

inline std::vector<TensorType> like_first(const InferContext& context) {
  return {context.in(0)};
}

inline std::vector<TensorType> from_attributes(const InferContext& context) {
  return {{context.attribute<DType>("dtype"), context.attribute<Shape>("shape")}};
}

inline std::vector<TensorType> broadcast_both(const InferContext& context) {
  if (context.in(0).dtype != context.in(1).dtype) context.fail("dtypes differ");
  return {{context.in(0).dtype, context.broadcast(context.in(0).shape, context.in(1).shape)}};
}

inline const std::string no_gradient = "a test has no use for it";

inline const Op placeholder{{.name = "test_placeholder",
                             .doc = "For tests.",
                             .kind = Kind::placeholder,
                             .attributes = {{"dtype", "", f32}, {"shape", "", {}}},
                             .infer = from_attributes,
                             .not_differentiable = no_gradient}};

inline const Op variable{{.name = "test_variable",
                          .doc = "For tests.",
                          .kind = Kind::variable,
                          .attributes = {{"dtype", "", f32}, {"shape", "", {}}},
                          .infer = from_attributes,
                          .not_differentiable = no_gradient}};

inline const Op constant{{.name = "test_constant",
                          .doc = "For tests.",
                          .kind = Kind::constant,
                          .attributes = {{"value", "", {}}},
                          .infer = [](const InferContext& context) -> std::vector<TensorType> {
                            return {context.attribute<std::shared_ptr<const Tensor>>("value")->type()};
                          },
                          .not_differentiable = no_gradient}};

inline const Op assign{{.name = "test_assign",
                        .doc = "For tests.",
                        .kind = Kind::assign,
                        .min_inputs = 2,
                        .max_inputs = 2,
                        .infer = like_first,
                        .not_differentiable = no_gradient}};

inline const Op random{{.name = "test_random",
                        .doc = "For tests.",
                        .kind = Kind::random,
                        .attributes = {{"shape", "", {}}},
                        .infer = [](const InferContext& context) -> std::vector<TensorType> {
                          return {{f32, context.attribute<Shape>("shape")}};
                        },
                        .not_differentiable = no_gradient}};

inline const Op print{{.name = "test_print",
                       .doc = "For tests.",
                       .kind = Kind::effect,
                       .max_inputs = SIZE_MAX,
                       .infer = [](const InferContext&) -> std::vector<TensorType> {
                         return {{boolean, {}}};
                       },
                       .not_differentiable = no_gradient}};

inline const Op neg{{.name = "test_neg",
                     .doc = "For tests.",
                     .min_inputs = 1,
                     .max_inputs = 1,
                     .infer = like_first,
                     .not_differentiable = no_gradient}};

inline const Op add{{.name = "test_add",
                     .doc = "For tests.",
                     .min_inputs = 2,
                     .max_inputs = 2,
                     .infer = broadcast_both,
                     .not_differentiable = no_gradient}};

/// c[m, n] = a[m, k] * b[k, n], to have a rule that unifies and complains.
inline const Op matmul{{.name = "test_matmul",
                        .doc = "For tests.",
                        .kind = Kind::contraction,
                        .min_inputs = 2,
                        .max_inputs = 2,
                        .infer = [](const InferContext& context) -> std::vector<TensorType> {
                          const Shape a = context.in(0).shape;
                          const Shape b = context.in(1).shape;
                          if (a.size() != 2 || b.size() != 2) context.fail("matrices expected");
                          context.unify(a[1], b[0], "inner dimensions differ");
                          return {{f32, {a[0], b[1]}}};
                        },
                        .not_differentiable = no_gradient}};

/// Joins along the first axis.
inline const Op concat{{.name = "test_concat",
                        .doc = "For tests.",
                        .kind = Kind::view,
                        .min_inputs = 1,
                        .max_inputs = SIZE_MAX,
                        .infer = [](const InferContext& context) -> std::vector<TensorType> {
                          Dim rows;
                          for (std::size_t i = 0; i < context.inputs(); ++i) rows = rows + context.in(i).shape.at(0);
                          return {{f32, {rows}}};
                        },
                        .not_differentiable = no_gradient}};

/// Two outputs: of the input's type, and a count.
inline const Op twice{{.name = "test_twice",
                       .doc = "For tests.",
                       .min_inputs = 1,
                       .max_inputs = 1,
                       .infer = [](const InferContext& context) -> std::vector<TensorType> {
                         return {context.in(0), {i64, {}}};
                       },
                       .not_differentiable = no_gradient}};

inline Value input(Graph& graph, std::string name, Shape shape, SourceLine where = std::source_location::current()) {
  return graph.apply({.op = placeholder,
                      .attributes = {{"dtype", f32}, {"shape", std::move(shape)}},
                      .name = std::move(name),
                      .where = where});
}

inline Value number(Graph& graph, float value, SourceLine where = std::source_location::current()) {
  return graph.apply({.op = constant,
                      .attributes = {{"value", std::make_shared<const Tensor>(Tensor::scalar(value))}},
                      .where = where});
}

inline Value apply(const Op& op, Values inputs, SourceLine where = std::source_location::current()) {
  Graph& graph = inputs.at(0).graph();
  return graph.apply({.op = op, .inputs = std::move(inputs), .where = where});
}

/// A node that the graph's owner may break: what passes with bugs do.
inline Node& open(Graph& graph, NodeId id) {
  return const_cast<Node&>(graph.node(id));
}

/// Makes each of these values an output, called "0", "1", ...
inline void deliver(Graph& graph, const Values& values) {
  std::vector<Graph::Output> outputs;
  for (const Value& value : values) outputs.push_back({std::to_string(outputs.size()), value.id()});
  graph.set_outputs(std::move(outputs));
}

}  // namespace lathe::test
