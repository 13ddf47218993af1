#include <lathe/ops/gather.h>

#include <utility>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/axes.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

void require_indices(const InferContext& context, const TensorType& indices) {
  if (!is_integer(indices.dtype)) context.fail(fmt::format("indices are integers, not {}", to_string(indices.dtype)));
}

std::vector<TensorType> infer_gather(const InferContext& context) {
  const TensorType& x = context.in(0);
  const TensorType& indices = context.in(1);
  require_indices(context, indices);
  const std::size_t axis = resolve_axis(context, context.attribute<std::int64_t>("axis"), x.rank());
  if (x.shape[axis] == Dim(0)) context.fail(fmt::format("axis {} of x {} is empty", axis, to_string(x.shape)));
  const auto at = x.shape.begin() + static_cast<std::ptrdiff_t>(axis);
  Shape shape(x.shape.begin(), at);
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), at + 1, x.shape.end());
  return {{x.dtype, shape}};
}

std::vector<TensorType> infer_scatter_add(const InferContext& context) {
  const TensorType& base = context.in(0);
  const TensorType& indices = context.in(1);
  const TensorType& updates = context.in(2);
  require_indices(context, indices);
  if (base.dtype == DType::boolean) context.fail("adds numbers, and base is bool: cast it first");
  if (base.dtype != updates.dtype) {
    context.fail(
        fmt::format("dtypes differ: base is {}, updates is {}", to_string(base.dtype), to_string(updates.dtype)));
  }
  if (base.rank() == 0) context.fail("base is a scalar and has no rows");
  Shape wanted = indices.shape;
  wanted.insert(wanted.end(), base.shape.begin() + 1, base.shape.end());
  const std::string message =
      fmt::format("updates {} do not fit: base {} and indices {} need {}", to_string(updates.shape),
                  to_string(base.shape), to_string(indices.shape), to_string(wanted));
  if (updates.rank() != wanted.size()) context.fail(message);
  for (std::size_t axis = 0; axis < wanted.size(); ++axis) context.unify(updates.shape[axis], wanted[axis], message);
  return {{base.dtype, base.shape}};
}

/// A position along an axis as read from `indices`: clamped into the axis, so that it can be used, and a check of that,
/// or of the value that goes with it, so that it never is.
struct Position {
  loop::Expr raw;
  loop::Expr clamped;
  loop::Expr inside;
  loop::Expr flat;  // where in `indices`
  std::string message;

  loop::Expr guard(loop::Body& body, loop::Expr value) const { return body.check(inside, value, flat, raw, message); }
};

Position read_position(loop::Body& body, std::size_t input, const std::vector<loop::Expr>& at, const Dim& extent) {
  const Shape& shape = body.in_type(input).shape;
  const loop::Expr raw = loop::cast(DType::i64, body.in(input, at));
  const loop::Expr last = body.extent(extent) - 1;
  const loop::Expr zero = body.extent(0);
  loop::Expr flat = zero;
  for (std::size_t axis = 0; axis < at.size(); ++axis) flat = flat * body.extent(shape[axis]) + at[axis];
  return {raw, loop::max(loop::min(raw, last), zero), (raw >= 0) & (raw <= last), flat,
          fmt::format("index {{detail}} at position {{index}} is outside [0, {})", to_string(extent))};
}

void lower_gather(loop::Body& body) {
  const Shape& shape = body.in_type(0).shape;
  const std::size_t axis = resolve_axis(body.attribute<std::int64_t>("axis"), shape.size());
  const std::size_t count = body.in_type(1).rank();
  std::vector<loop::Expr> at;
  for (std::size_t d = 0; d < count; ++d) at.push_back(body.axis(axis + d));
  const Position position = read_position(body, 1, at, shape[axis]);
  std::vector<loop::Expr> from;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    from.push_back(d == axis ? position.guard(body, position.clamped) : body.axis(d < axis ? d : d + count - 1));
  }
  body.yield(body.in(0, from));
}

void lower_scatter_add(loop::Body& body) {
  const Shape& base = body.in_type(0).shape;
  const Shape& updates = body.in_type(2).shape;
  std::vector<loop::AxisId> axes;
  std::vector<loop::Expr> at;
  for (const Dim& extent : updates) {
    axes.push_back(body.reduce_axis(extent));
    at.push_back(body.index(axes.back()));
  }
  const auto rest = at.begin() + static_cast<std::ptrdiff_t>(body.in_type(1).rank());
  const Position position = read_position(body, 1, {at.begin(), rest}, base.front());
  std::vector<loop::Expr> target = {position.clamped};
  target.insert(target.end(), rest, at.end());
  body.yield_scatter(0, axes, target, position.guard(body, body.in(2, at)));
}

/// dy [A.., I.., B..] is added up by rows of [N, A.., B..]; the axis then goes back to its place.
Values gather_gradient(const GradientContext& g) {
  const Value x = g.in(0);
  const Value indices = g.in(1);
  const std::size_t axis = resolve_axis(g.attribute<std::int64_t>("axis"), x.rank());
  const auto before = static_cast<std::int64_t>(axis);
  const auto count = static_cast<std::int64_t>(indices.rank());
  const auto rank = static_cast<std::int64_t>(g.dy().rank());

  std::vector<std::int64_t> rows_first;
  for (std::int64_t d = 0; d < count; ++d) rows_first.push_back(before + d);
  for (std::int64_t d = 0; d < before; ++d) rows_first.push_back(d);
  for (std::int64_t d = before + count; d < rank; ++d) rows_first.push_back(d);
  Shape shape = {x.shape()[axis]};
  for (std::size_t d = 0; d < x.rank(); ++d) {
    if (d != axis) shape.push_back(x.shape()[d]);
  }
  const Value updates = axis == 0 ? g.dy() : transpose(g.dy(), rows_first);
  const Value dx = scatter_add(fill(g.graph, shape, 0, x.dtype()), indices, updates);
  if (axis == 0) return {dx, {}};

  std::vector<std::int64_t> back;
  for (std::int64_t d = 1; d <= before; ++d) back.push_back(d);
  back.push_back(0);
  for (auto d = before + 1; d < static_cast<std::int64_t>(x.rank()); ++d) back.push_back(d);
  return {transpose(dx, back), {}};
}

SampleArray gather_reference(std::span<const SampleArray> in, std::size_t axis) {
  const SampleArray& x = in[0];
  const SampleArray& indices = in[1];
  const auto at = x.shape.begin() + static_cast<std::ptrdiff_t>(axis);
  const std::int64_t before = element_count(Extents(x.shape.begin(), at));
  const std::int64_t after = element_count(Extents(at + 1, x.shape.end()));
  SampleArray y{Extents(x.shape.begin(), at), {}};
  y.shape.insert(y.shape.end(), indices.shape.begin(), indices.shape.end());
  y.shape.insert(y.shape.end(), at + 1, x.shape.end());
  for (std::int64_t a = 0; a < before; ++a) {
    for (const double index : indices.data) {
      const std::int64_t start = (a * *at + static_cast<std::int64_t>(index)) * after;
      for (std::int64_t b = 0; b < after; ++b) y.data.push_back(x.data[static_cast<std::size_t>(start + b)]);
    }
  }
  return y;
}

SampleArray scatter_add_reference(std::span<const SampleArray> in) {
  SampleArray y = in[0];
  const std::size_t row = static_cast<std::size_t>(element_count(Extents(y.shape.begin() + 1, y.shape.end())));
  for (std::size_t i = 0; i < in[1].data.size(); ++i) {
    const auto target = static_cast<std::size_t>(in[1].data[i]);
    for (std::size_t b = 0; b < row; ++b) y.data[target * row + b] += in[2].data[i * row + b];
  }
  return y;
}

Sample gather_sample(Shape x, Shape indices, double last, std::size_t axis, DType index_dtype = DType::i64) {
  return {.in = {{.shape = std::move(x)}, {.dtype = index_dtype, .shape = std::move(indices), .low = 0, .high = last}},
          .attributes = {{"axis", static_cast<std::int64_t>(axis)}},
          .whole = [axis](std::span<const SampleArray> in) { return gather_reference(in, axis); }};
}

Sample scatter_sample(Shape base, Shape indices, Shape updates, double last) {
  return {.in = {{.shape = std::move(base)},
                 {.dtype = DType::i64, .shape = std::move(indices), .low = 0, .high = last},
                 {.shape = std::move(updates)}},
          .whole = scatter_add_reference};
}

}  // namespace

const Op op::gather{{
    .name = "gather",
    .doc = "Slices of x picked by number along an axis; a number outside the axis fails the run.",
    .kind = Kind::gather,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"axis", "The axis of x that the indices count along.", std::int64_t{0}}},
    .infer = infer_gather,
    .gradient = gather_gradient,
    .lower = lower_gather,
    .onnx = "Gather",
    .samples = []() -> Samples {
      return {gather_sample({5, 3}, {dim("n")}, 4, 0), gather_sample({5, dim("n")}, {2, 2}, 4, 0, DType::i32),
              gather_sample({2, 4, 3}, {3}, 3, 1), gather_sample({2, 4}, {}, 3, 1),
              gather_sample({dim("n"), 4}, {2, 3}, 3, 1, DType::u8)};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {5, 3}}, {DType::f32, {2}}}, .error = "indices are integers, not f32"},
              {.in = {{DType::f32, {}}, {DType::i64, {2}}}, .error = "a scalar has no axis 0"},
              {.in = {{DType::f32, {0, 3}}, {DType::i64, {2}}}, .error = "axis 0 of x [0, 3] is empty"},
              {.in = {{DType::f32, {5, 3}}, {DType::i64, {2}}},
               .attributes = {{"axis", std::int64_t{2}}},
               .error = "axis 2 is outside [-2, 2): the input has rank 2"}};
    },
}};

const Op op::scatter_add{{
    .name = "scatter_add",
    .doc = "base with updates added to the rows that indices name; an index outside base fails the run.",
    .kind = Kind::scatter,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer_scatter_add,
    .gradient = [](const GradientContext& g) -> Values {
      return {g.dy(), {}, lathe::gather(g.dy(), g.in(1))};
    },
    .lower = lower_scatter_add,
    .samples = []() -> Samples {
      return {scatter_sample({5, 3}, {dim("n")}, {dim("n"), 3}, 4),
              scatter_sample({4, dim("n")}, {7}, {7, dim("n")}, 3), scatter_sample({3}, {2, 2}, {2, 2}, 2),
              scatter_sample({3, 2}, {}, {2}, 2)};
    },
    .bad_samples = []() -> BadSamples {
      return {
          {.in = {{DType::f32, {5, 3}}, {DType::i64, {2}}, {DType::f32, {2, 4}}},
           .error = "updates [2, 4] do not fit: base [5, 3] and indices [2] need [2, 3]"},
          {.in = {{DType::f32, {5, 3}}, {DType::i64, {2}}, {DType::f32, {3}}},
           .error = "updates [3] do not fit: base [5, 3] and indices [2] need [2, 3]"},
          {.in = {{DType::f32, {5}}, {DType::f32, {2}}, {DType::f32, {2}}}, .error = "indices are integers, not f32"},
          {.in = {{DType::f32, {5}}, {DType::i64, {2}}, {DType::f64, {2}}},
           .error = "dtypes differ: base is f32, updates is f64"},
          {.in = {{DType::boolean, {5}}, {DType::i64, {2}}, {DType::boolean, {2}}},
           .error = "adds numbers, and base is bool: cast it first"},
          {.in = {{DType::f32, {}}, {DType::i64, {2}}, {DType::f32, {2}}},
           .error = "base is a scalar and has no rows"}};
    },
}};

Value gather(Value x, Value indices, std::int64_t axis, std::source_location where) {
  return x.graph().apply({.op = op::gather, .inputs = {x, indices}, .attributes = {{"axis", axis}}, .where = where});
}

Value scatter_add(Value base, Value indices, Value updates, std::source_location where) {
  return base.graph().apply({.op = op::scatter_add, .inputs = {base, indices, updates}, .where = where});
}

}  // namespace lathe
