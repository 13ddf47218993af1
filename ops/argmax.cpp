#include <lathe/ops/argmax.h>

#include <cmath>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/codegen/loop/math.h>
#include <lathe/ops/axes.h>

namespace lathe {
namespace {

const std::vector<AttributeSpec> position_attributes = {
    {"axis", "The axis to search along.", std::int64_t{-1}},
    {"keep_dims", "Whether the axis stays, with extent 1.", false},
};

std::vector<TensorType> infer_position(const InferContext& context) {
  const TensorType& x = context.in(0);
  if (x.dtype == DType::boolean) context.fail("is of numbers, and x is bool: cast it first");
  const std::size_t axis = resolve_axis(context, context.attribute<std::int64_t>("axis"), x.rank());
  if (x.shape[axis] == Dim(0)) context.fail(fmt::format("axis {} of x {} is empty", axis, to_string(x.shape)));
  return {{DType::i64, reduced_shape(x.shape, std::span(&axis, 1), context.attribute<bool>("keep_dims"))}};
}

/// The extremum first, then the smallest index where it stands. Two plain reductions, so that the result does not
/// depend on the order in which lanes are joined.
void lower_position(loop::Body& body, loop::ReduceOp extremum) {
  const TensorType& type = body.in_type(0);
  const std::size_t axis = resolve_axis(body.attribute<std::int64_t>("axis"), type.rank());
  const bool keep_dims = body.attribute<bool>("keep_dims");
  const auto element = [&](loop::AxisId along) {
    std::vector<loop::Expr> indices;
    for (std::size_t d = 0; d < type.rank(); ++d) {
      indices.push_back(d == axis ? body.index(along) : body.axis(d > axis && !keep_dims ? d - 1 : d));
    }
    return body.in(0, indices);
  };
  const loop::AxisId search = body.reduce_axis(type.shape[axis]);
  const loop::Expr best = body.reduce(extremum, {search}, element(search));
  const loop::AxisId position = body.reduce_axis(type.shape[axis]);
  const loop::Expr x = element(position);
  const loop::Expr found = is_float(type.dtype) ? loop::equal(x, best) | loop::is_nan(x) : loop::equal(x, best);
  const loop::Expr count = body.extent(type.shape[axis]);
  const loop::Expr first =
      body.reduce(loop::ReduceOp::min, {position}, loop::select(found, body.index(position), count));
  body.yield(loop::min(first, count - 1));
}

/// The position of the element that beats all others along `axis` of a matrix.
SampleArray position_in_matrix(const SampleArray& x, std::size_t axis, bool (*beats)(double, double)) {
  const std::int64_t rows = x.shape[0];
  const std::int64_t columns = x.shape[1];
  const std::int64_t along = axis == 0 ? rows : columns;
  const std::int64_t across = axis == 0 ? columns : rows;
  SampleArray y{{across}, {}};
  for (std::int64_t other = 0; other < across; ++other) {
    const auto at = [&](std::int64_t i) {
      return x.data[static_cast<std::size_t>(axis == 0 ? i * columns + other : other * columns + i)];
    };
    std::int64_t best = 0;
    for (std::int64_t i = 1; i < along; ++i) {
      if (std::isnan(at(best))) break;
      if (std::isnan(at(i)) || beats(at(i), at(best))) best = i;
    }
    y.data.push_back(static_cast<double>(best));
  }
  return y;
}

std::vector<Sample> samples(bool (*beats)(double, double)) {
  const double nan = std::nan("");
  const auto along = [beats](std::size_t axis) {
    return [=](std::span<const SampleArray> in) { return position_in_matrix(in[0], axis, beats); };
  };
  return {{.in = {{.shape = {dim("n"), 10}}}, .whole = along(1)},
          {.in = {{.shape = {33, dim("n")}}}, .attributes = {{"axis", std::int64_t{0}}}, .whole = along(0)},
          {.in = {{.dtype = DType::i32, .shape = {dim("n"), 17}, .low = -2, .high = 2}}, .whole = along(1)},
          {.in = {{.shape = {3, 4}, .values = {1, nan, 3, nan, 2, 5, 5, 1, 0, -1, 0, -1}, .differentiate = false}},
           .whole = along(1)}};
}

BadSamples bad_positions() {
  return {
      {.in = {{DType::f32, {2, 3}}}, .attributes = {{"axis", std::int64_t{2}}}, .error = "axis 2 is outside [-2, 2)"},
      {.in = {{DType::f32, {}}}, .error = "a scalar has no axis -1"},
      {.in = {{DType::f32, {2, 0}}}, .error = "axis 1 of x [2, 0] is empty"},
      {.in = {{DType::boolean, {2}}}, .error = "is of numbers, and x is bool: cast it first"}};
}

Value position(const Op& op, const Value& x, std::int64_t axis, bool keep_dims, std::source_location where) {
  return x.graph().apply(
      {.op = op, .inputs = {x}, .attributes = {{"axis", axis}, {"keep_dims", keep_dims}}, .where = where});
}

}  // namespace

const Op op::argmax{{
    .name = "argmax",
    .doc = "The index of the first largest element along an axis; the first NaN if there is one; -1 over no elements.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = position_attributes,
    .infer = infer_position,
    .not_differentiable = "its result is an index",
    .lower = [](loop::Body& body) { lower_position(body, loop::ReduceOp::max); },
    .samples = [] { return samples([](double a, double b) { return a > b; }); },
    .bad_samples = bad_positions,
}};

const Op op::argmin{{
    .name = "argmin",
    .doc = "The index of the first smallest element along an axis; the first NaN if there is one; -1 over no elements.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = position_attributes,
    .infer = infer_position,
    .not_differentiable = "its result is an index",
    .lower = [](loop::Body& body) { lower_position(body, loop::ReduceOp::min); },
    .samples = [] { return samples([](double a, double b) { return a < b; }); },
    .bad_samples = bad_positions,
}};

Value argmax(Value x, std::int64_t axis, bool keep_dims, std::source_location where) {
  return position(op::argmax, x, axis, keep_dims, where);
}

Value argmin(Value x, std::int64_t axis, bool keep_dims, std::source_location where) {
  return position(op::argmin, x, axis, keep_dims, where);
}

}  // namespace lathe
