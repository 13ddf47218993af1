#include <lathe/ops/reshape.h>

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/axes.h>
#include <lathe/ops/rules.h>

namespace lathe {
namespace {

/// `shape` with its open extent, if it has one, filled in so that it holds `count` elements, if that is possible.
Shape close(Shape shape, const Dim& count) {
  Dim known(1);
  Dim* open = nullptr;
  for (Dim& extent : shape) {
    if (extent == Dim(-1)) extent = None;
    if (!extent.is_unknown()) {
      known = known * extent;
    } else if (open) {
      return shape;
    } else {
      open = &extent;
    }
  }
  if (open) {
    if (const auto rest = divide(count, known)) *open = *rest;
  }
  return shape;
}

/// Two products without the factors that both have: what is left to compare of 28 * a and 28 * b is a and b.
std::pair<Dim, Dim> cancel(const Dim& a, const Dim& b) {
  if (a.terms().size() != 1 || b.terms().size() != 1) return {a, b};
  Dim common(std::gcd(a.terms()[0].coefficient, b.terms()[0].coefficient));
  for (const SymbolId factor : a.terms()[0].factors) {
    if (divide(b, common * Dim(factor)) && divide(a, common * Dim(factor))) common = common * Dim(factor);
  }
  return {divide(a, common).value_or(a), divide(b, common).value_or(b)};
}

InferredTypes infer_reshape(const InferContext& context) {
  const TensorType x = context.in(0);
  const Dim count = element_count(x.shape);
  const Shape shape = close(context.graph.resolve(context.attribute<Shape>("shape")), count);
  if (std::any_of(shape.begin(), shape.end(), [](const Dim& extent) { return extent.is_unknown(); })) {
    context.fail(fmt::format("no extent makes {} of the {} elements of {}", to_string(shape), to_string(count),
                             to_string(x.shape)));
  }
  const auto [from, to] = cancel(count, element_count(shape));
  context.unify(from, to,
                fmt::format("{} has {} elements, {} has {}", to_string(x.shape), to_string(count), to_string(shape),
                            to_string(element_count(shape))));
  return {{x.dtype, shape}};
}

/// Axes without those of extent 1, whose index is 0.
std::vector<std::size_t> long_axes(const Shape& shape) {
  std::vector<std::size_t> axes;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] != Dim(1)) axes.push_back(axis);
  }
  return axes;
}

/// The axes [from, to) of the input that hold the same elements as the axes [out_from, out_to) of the output.
struct Group {
  std::size_t from, to, out_from, out_to;
};

/// The smallest group that starts at these positions in `in` and `out`. Everything that is left if symbols hide where
/// it ends.
Group next_group(const Shape& in, const Shape& out, std::size_t from, std::size_t out_from) {
  const Group rest{from, in.size(), out_from, out.size()};
  if (from == in.size() || out_from == out.size()) return rest;
  Group group{from, from + 1, out_from, out_from + 1};
  Dim size = in[from];
  Dim out_size = out[out_from];
  while (size != out_size) {
    if (divide(out_size, size) && group.to < in.size()) {
      size = size * in[group.to++];
    } else if (divide(size, out_size) && group.out_to < out.size()) {
      out_size = out_size * out[group.out_to++];
    } else if (size.is_constant() && out_size.is_constant()) {
      if (size.constant() < out_size.constant() ? group.to == in.size() : group.out_to == out.size()) return rest;
      if (size.constant() < out_size.constant()) {
        size = size * in[group.to++];
      } else {
        out_size = out_size * out[group.out_to++];
      }
    } else {
      return rest;
    }
  }
  return group;
}

/// The flat output index within a group, taken apart into the group's input indices. Group by group, so that axes that
/// stay as they are need no division.
void lower_reshape(loop::Body& body) {
  const Shape& in_shape = body.in_type(0).shape;
  const Shape& out_shape = body.out_type().shape;
  const std::vector<std::size_t> in_axes = long_axes(in_shape);
  const std::vector<std::size_t> out_axes = long_axes(out_shape);
  Shape in;
  Shape out;
  for (const std::size_t axis : in_axes) in.push_back(in_shape[axis]);
  for (const std::size_t axis : out_axes) out.push_back(out_shape[axis]);

  std::vector<loop::Expr> indices(in_shape.size(), body.extent(0));
  for (std::size_t from = 0, out_from = 0; from < in.size() || out_from < out.size();) {
    const Group group = next_group(in, out, from, out_from);
    loop::Expr flat = body.extent(0);
    Dim stride(1);
    for (std::size_t k = group.out_to; k-- > group.out_from;) {
      flat = flat + body.axis(out_axes[k]) * body.extent(stride);
      stride = stride * out[k];
    }
    stride = Dim(1);
    for (std::size_t k = group.to; k-- > group.from;) {
      const loop::Expr quotient = loop::floor_div(flat, body.extent(stride));
      indices[in_axes[k]] = k == group.from ? quotient : loop::mod(quotient, body.extent(in[k]));
      stride = stride * in[k];
    }
    from = group.to;
    out_from = group.out_to;
  }
  body.yield(body.in(0, indices));
}

/// Whether a node gives its input's elements in the same order under another shape.
bool only_reshapes(const Node& node) {
  return node.op == &op::reshape || node.op == &op::expand_dims || node.op == &op::squeeze;
}

/// Reshapes that lead back to a type that was there before.
std::optional<Value> reshaped_back(const RewriteContext& context) {
  Value x = context.inputs[0];
  while (x.type() != context.outputs[0]) {
    if (!only_reshapes(x.node()) || !x.node().control.empty()) return std::nullopt;
    x = Value(context.graph, x.node().inputs[0]);
  }
  return x;
}

std::optional<Value> reshape_twice(const RewriteContext& context) {
  const Node& inner = context.inputs[0].node();
  if (!only_reshapes(inner) || !inner.control.empty()) return std::nullopt;
  return reshape(Value(context.graph, inner.inputs[0]), context.outputs[0].shape);
}

InferredTypes infer_expand_dims(const InferContext& context) {
  const TensorType& x = context.in(0);
  Shape shape = x.shape;
  const std::size_t axis = resolve_axis(context, context.attribute<std::int64_t>("axis"), x.rank() + 1);
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), Dim(1));
  return {{x.dtype, shape}};
}

void lower_expand_dims(loop::Body& body) {
  const std::size_t rank = body.out_type().rank();
  const std::size_t added = resolve_axis(body.attribute<std::int64_t>("axis"), rank);
  std::vector<loop::Expr> indices;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (axis != added) indices.push_back(body.axis(axis));
  }
  body.yield(body.in(0, indices));
}

/// The axes that a squeeze takes away, ascending.
std::vector<std::size_t> squeezed_axes(const Node& node, const Shape& shape) {
  const Extents& axes = node.attributes.get<Extents>("axes");
  if (!axes.empty()) return resolve_axes(axes, shape.size());
  std::vector<std::size_t> ones;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == Dim(1)) ones.push_back(axis);
  }
  return ones;
}

InferredTypes infer_squeeze(const InferContext& context) {
  const TensorType& x = context.in(0);
  const Extents& named = context.attribute<Extents>("axes");
  if (!named.empty()) resolve_axes(context, named, x.rank());
  const std::vector<std::size_t> axes = squeezed_axes(context.node, x.shape);
  for (const std::size_t axis : axes) {
    if (x.shape[axis] == Dim(1)) continue;
    context.fail(fmt::format("axis {} of {} has extent {}, not 1", axis, to_string(x.shape), to_string(x.shape[axis])));
  }
  return {{x.dtype, axes.empty() ? x.shape : reduced_shape(x.shape, axes, false)}};
}

void lower_squeeze(loop::Body& body) {
  const Shape& shape = body.in_type(0).shape;
  const std::vector<std::size_t> axes = squeezed_axes(body.node(), shape);
  std::vector<loop::Expr> indices;
  std::size_t out_axis = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const bool gone = std::find(axes.begin(), axes.end(), axis) != axes.end();
    indices.push_back(gone ? body.extent(0) : body.axis(out_axis++));
  }
  body.yield(body.in(0, indices));
}

Values reshape_gradient(const GradientContext& g) {
  return {reshape(g.dy(), g.in(0).shape())};
}

SampleArray same_elements(const SampleArray& x, Extents shape) {
  return {std::move(shape), x.data};
}

}  // namespace

namespace op {

const Op reshape{{
    .name = "reshape",
    .doc = "The same elements in row-major order under another shape.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"shape", "Of the result; one extent may be open.", {}}},
    .infer = infer_reshape,
    .gradient = reshape_gradient,
    .lower = lower_reshape,
    .rewrites = {{"reshape back", reshaped_back}, {"reshape of a reshape", reshape_twice}},
    .shows_nonfinite = 1,
    .onnx = "Reshape",
    .samples = []() -> Samples {
      return {{.in = {{.shape = {dim("n"), 2, 6}}},
               .attributes = {{"shape", Shape{dim("n"), 3, 4}}},
               .whole =
                   [](std::span<const SampleArray> x) {
                     return same_elements(x[0], {x[0].shape[0], 3, 4});
                   }},
              {.in = {{.shape = {dim("n"), 4}}},
               .attributes = {{"shape", Shape{2, None}}},
               .whole =
                   [](std::span<const SampleArray> x) {
                     return same_elements(x[0], {2, 2 * x[0].shape[0]});
                   }},
              {.in = {{.dtype = DType::i32, .shape = {6, 1, 4}}},
               .attributes = {{"shape", Shape{1, 8, 3}}},
               .whole =
                   [](std::span<const SampleArray> x) {
                     return same_elements(x[0], {1, 8, 3});
                   }},
              {.in = {{.dtype = DType::f64, .shape = {}}},
               .attributes = {{"shape", Shape{1, 1}}},
               .whole = [](std::span<const SampleArray> x) {
                 return same_elements(x[0], {1, 1});
               }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2, 3}}},
               .attributes = {{"shape", Shape{4}}},
               .error = "[2, 3] has 6 elements, [4] has 4"},
              {.in = {{DType::f32, {2, 3}}},
               .attributes = {{"shape", Shape{4, None}}},
               .error = "no extent makes [4, ?] of the 6 elements of [2, 3]"},
              {.in = {{DType::f32, {2, 3}}},
               .attributes = {{"shape", Shape{None, None}}},
               .error = "no extent makes [?, ?] of the 6 elements of [2, 3]"}};
    },
}};

const Op expand_dims{{
    .name = "expand_dims",
    .doc = "A new axis of extent 1.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"axis", "Its position in the result.", {}}},
    .infer = infer_expand_dims,
    .gradient = reshape_gradient,
    .lower = lower_expand_dims,
    .rewrites = {{"expand_dims back", reshaped_back}},
    .shows_nonfinite = 1,
    .onnx = "Unsqueeze",
    .samples = []() -> Samples {
      return {{.in = {{.shape = {dim("n"), 3}}},
               .attributes = {{"axis", std::int64_t{-1}}},
               .whole =
                   [](std::span<const SampleArray> x) {
                     return same_elements(x[0], {x[0].shape[0], 3, 1});
                   }},
              {.in = {{.shape = {dim("n"), 3}}},
               .attributes = {{"axis", std::int64_t{0}}},
               .whole = [](std::span<const SampleArray> x) {
                 return same_elements(x[0], {1, x[0].shape[0], 3});
               }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2}}}, .attributes = {{"axis", std::int64_t{2}}}, .error = "axis 2"}};
    },
}};

const Op squeeze{{
    .name = "squeeze",
    .doc = "Without axes of extent 1.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"axes", "Which; all of extent 1 if none is named.", Extents{}}},
    .infer = infer_squeeze,
    .gradient = reshape_gradient,
    .lower = lower_squeeze,
    .rewrites = {{"squeeze back", reshaped_back}},
    .shows_nonfinite = 1,
    .onnx = "Squeeze",
    .samples = []() -> Samples {
      return {{.in = {{.shape = {dim("n"), 1, 3, 1}}},
               .attributes = {{"axes", Extents{-1}}},
               .whole =
                   [](std::span<const SampleArray> x) {
                     return same_elements(x[0], {x[0].shape[0], 1, 3});
                   }},
              {.in = {{.shape = {1, 4, 1}}},
               .whole = [](std::span<const SampleArray> x) { return same_elements(x[0], {4}); }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2, 3}}},
               .attributes = {{"axes", Extents{1}}},
               .error = "axis 1 of [2, 3] has extent 3, not 1"}};
    },
}};

}  // namespace op

Value reshape(Value x, Shape shape, std::source_location where) {
  shape = close(std::move(shape), element_count(x.shape()));
  return x.graph().apply(
      {.op = op::reshape, .inputs = {x}, .attributes = {{"shape", std::move(shape)}}, .where = where});
}

Value flatten(Value x, std::size_t kept, std::source_location where) {
  const Shape& from = x.shape();
  if (kept > from.size()) {
    throw GraphError(
        fmt::format("flatten ({}): cannot keep {} axes of {}", describe(SourceLine(where)), kept, to_string(from)));
  }
  const auto middle = from.begin() + static_cast<std::ptrdiff_t>(kept);
  Shape shape(from.begin(), middle);
  shape.push_back(element_count(Shape(middle, from.end())));
  return reshape(x, shape, where);
}

Value expand_dims(Value x, std::int64_t axis, std::source_location where) {
  return x.graph().apply({.op = op::expand_dims, .inputs = {x}, .attributes = {{"axis", axis}}, .where = where});
}

Value squeeze(Value x, std::vector<std::int64_t> axes, std::source_location where) {
  return x.graph().apply({.op = op::squeeze, .inputs = {x}, .attributes = {{"axes", axes}}, .where = where});
}

}  // namespace lathe
