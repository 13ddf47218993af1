#include <lathe/ops/shape.h>

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/arithmetic.h>
#include <lathe/ops/axes.h>
#include <lathe/ops/rules.h>

namespace lathe {
namespace {

std::vector<std::size_t> permutation(const Node& node) {
  const Extents& perm = node.attributes.get<Extents>("perm");
  std::vector<std::size_t> axes;
  for (const std::int64_t axis : perm) axes.push_back(resolve_axis(axis, perm.size()));
  return axes;
}

InferredTypes infer_transpose(const InferContext& context) {
  const TensorType& x = context.in(0);
  const Extents& perm = context.attribute<Extents>("perm");
  if (perm.size() != x.rank()) {
    context.fail(
        fmt::format("perm {} names {} axes, x {} has {}", to_string(perm), perm.size(), to_string(x.shape), x.rank()));
  }
  std::vector<bool> seen(perm.size(), false);
  Shape shape;
  for (const std::int64_t number : perm) {
    const std::size_t axis = resolve_axis(context, number, x.rank());
    if (seen[axis]) context.fail(fmt::format("perm {} names axis {} twice", to_string(perm), axis));
    seen[axis] = true;
    shape.push_back(x.shape[axis]);
  }
  return {{x.dtype, shape}};
}

Values transpose_gradient(const GradientContext& g) {
  const std::vector<std::size_t> perm = permutation(g.node());
  std::vector<std::int64_t> back(perm.size());
  for (std::size_t axis = 0; axis < perm.size(); ++axis) back[perm[axis]] = static_cast<std::int64_t>(axis);
  return {transpose(g.dy(), back)};
}

void lower_transpose(loop::Body& body) {
  const std::vector<std::size_t> perm = permutation(body.node());
  std::vector<loop::Expr> indices(perm.size());
  for (std::size_t axis = 0; axis < perm.size(); ++axis) indices[perm[axis]] = body.axis(axis);
  body.yield(body.in(0, indices));
}

std::optional<Value> transpose_by_identity(const RewriteContext& context) {
  const Extents& perm = context.attribute<Extents>("perm");
  for (std::size_t axis = 0; axis < perm.size(); ++axis) {
    if (resolve_axis(perm[axis], perm.size()) != axis) return std::nullopt;
  }
  return context.inputs[0];
}

std::optional<Value> transpose_twice(const RewriteContext& context) {
  const std::optional<Value> x = input_of(context.inputs[0], op::transpose);
  if (!x) return std::nullopt;
  const std::vector<std::size_t> first = permutation(context.inputs[0].node());
  std::vector<std::int64_t> both;
  for (const std::int64_t axis : context.attribute<Extents>("perm")) {
    both.push_back(static_cast<std::int64_t>(first[resolve_axis(axis, first.size())]));
  }
  return transpose(*x, both);
}

InferredTypes infer_broadcast_to(const InferContext& context) {
  const TensorType x = context.in(0);
  const Shape shape = context.graph.resolve(context.attribute<Shape>("shape"));
  const std::string mismatch = fmt::format("{} does not broadcast to {}", to_string(x.shape), to_string(shape));
  if (x.rank() > shape.size()) context.fail(mismatch);
  const std::size_t added = shape.size() - x.rank();
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (x.shape[axis] != Dim(1)) context.unify(x.shape[axis], shape[added + axis], mismatch);
  }
  return {{x.dtype, shape}};
}

}  // namespace

namespace op {

const Op transpose{{
    .name = "transpose",
    .doc = "Axis k of the result is axis perm[k] of x.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"perm", "An axis of x for each axis of the result.", {}}},
    .infer = infer_transpose,
    .gradient = transpose_gradient,
    .lower = lower_transpose,
    .rewrites = {{"transpose by identity", transpose_by_identity}, {"transpose of a transpose", transpose_twice}},
    .shows_nonfinite = 1,
    .onnx = "Transpose",
    .samples = []() -> Samples {
      return {{.in = {{.shape = {2, dim("n"), 3}}},
               .attributes = {{"perm", Extents{1, 2, 0}}},
               .whole =
                   [](std::span<const SampleArray> x) {
                     return array_of({x[0].shape[1], 3, 2}, [&](std::span<const std::int64_t> i) {
                       return element(x[0], std::vector{i[2], i[0], i[1]});
                     });
                   }},
              {.in = {{.dtype = DType::i64, .shape = {dim("n"), 5}}},
               .attributes = {{"perm", Extents{-1, 0}}},
               .whole = [](std::span<const SampleArray> x) {
                 return array_of({5, x[0].shape[0]}, [&](std::span<const std::int64_t> i) {
                   return element(x[0], std::vector{i[1], i[0]});
                 });
               }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2, 3}}},
               .attributes = {{"perm", Extents{0}}},
               .error = "perm [0] names 1 axes, x [2, 3] has 2"},
              {.in = {{DType::f32, {2, 3}}},
               .attributes = {{"perm", Extents{1, -1}}},
               .error = "perm [1, -1] names axis 1 twice"}};
    },
}};

const Op broadcast_to{{
    .name = "broadcast_to",
    .doc = "x stretched to a shape.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"shape", "Of the result.", {}}},
    .infer = infer_broadcast_to,
    .gradient = [](const GradientContext& g) -> Values { return {sum_to_shape(g.dy(), g.in(0).shape())}; },
    .lower = [](loop::Body& body) { body.yield(body.in(0)); },
    .rewrites = {{"broadcast to the same shape",
                  [](const RewriteContext& context) { return input_if_same_type(context, 0); }}},
    .shows_nonfinite = 1,
    .onnx = "Expand",
    .samples = []() -> Samples {
      return {{.in = {{.shape = {3, 1}}},
               .attributes = {{"shape", Shape{2, 3, 4}}},
               .whole =
                   [](std::span<const SampleArray> x) {
                     return array_of({2, 3, 4}, [&](std::span<const std::int64_t> i) { return x[0].data[i[1]]; });
                   }},
              {.in = {{.shape = {dim("n")}}},
               .attributes = {{"shape", Shape{2, dim("n")}}},
               .whole = [](std::span<const SampleArray> x) {
                 return array_of({2, x[0].shape[0]}, [&](std::span<const std::int64_t> i) { return x[0].data[i[1]]; });
               }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2, 3}}},
               .attributes = {{"shape", Shape{3}}},
               .error = "[2, 3] does not broadcast to [3]"},
              {.in = {{DType::f32, {2, 3}}},
               .attributes = {{"shape", Shape{4, 3}}},
               .error = "[2, 3] does not broadcast to [4, 3]"}};
    },
}};

}  // namespace op

Value transpose(Value x, std::vector<std::int64_t> perm, std::source_location where) {
  if (perm.empty()) {
    perm.resize(x.rank());
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  return x.graph().apply({.op = op::transpose, .inputs = {x}, .attributes = {{"perm", perm}}, .where = where});
}

Value broadcast_to(Value x, Shape shape, std::source_location where) {
  return x.graph().apply(
      {.op = op::broadcast_to, .inputs = {x}, .attributes = {{"shape", std::move(shape)}}, .where = where});
}

}  // namespace lathe
