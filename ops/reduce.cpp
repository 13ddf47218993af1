#include <lathe/ops/reduce.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/codegen/loop/math.h>
#include <lathe/ops/arithmetic.h>
#include <lathe/ops/axes.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

const std::vector<AttributeSpec> reduction_attributes = {
    {"axes", "The axes to reduce over; none at all means every axis.", Extents{}},
    {"keep_dims", "Whether reduced axes stay, with extent 1.", false},
};

std::vector<std::size_t> axes_of(const Node& node, std::size_t rank) {
  return resolve_axes(node.attributes.get<Extents>("axes"), rank);
}

std::vector<TensorType> reduced(const InferContext& context, DType dtype) {
  const TensorType& x = context.in(0);
  const auto axes = resolve_axes(context, context.attribute<Extents>("axes"), x.rank());
  return {{dtype, reduced_shape(x.shape, axes, context.attribute<bool>("keep_dims"))}};
}

std::vector<TensorType> infer_sum(const InferContext& context) {
  const DType dtype = context.in(0).dtype;
  return reduced(context, is_float(dtype) ? dtype : DType::i64);
}

std::vector<TensorType> infer_mean(const InferContext& context) {
  const DType dtype = context.in(0).dtype;
  if (!is_float(dtype)) context.fail(fmt::format("is of floats, and x is {}: cast it first", to_string(dtype)));
  return reduced(context, dtype);
}

std::vector<TensorType> infer_extremum(const InferContext& context) {
  const DType dtype = context.in(0).dtype;
  if (dtype == DType::boolean) context.fail("is of numbers, and x is bool: use any or all");
  return reduced(context, dtype);
}

std::vector<TensorType> infer_logical(const InferContext& context) {
  const DType dtype = context.in(0).dtype;
  if (dtype != DType::boolean) context.fail(fmt::format("is of bools, and x is {}", to_string(dtype)));
  return reduced(context, dtype);
}

/// What a reduction runs over: new axes, and input 0 at the output's index joined with them.
struct Domain {
  std::vector<loop::AxisId> axes;
  loop::Expr x;
};

Domain domain(loop::Body& body, const std::vector<std::size_t>& reduced_axes, bool keep_dims) {
  const Shape& shape = body.in_type(0).shape;
  std::vector<loop::AxisId> axes;
  std::vector<loop::Expr> indices;
  std::size_t output_axis = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (std::find(reduced_axes.begin(), reduced_axes.end(), axis) == reduced_axes.end()) {
      indices.push_back(body.axis(output_axis++));
      continue;
    }
    axes.push_back(body.reduce_axis(shape[axis]));
    indices.push_back(body.index(axes.back()));
    if (keep_dims) ++output_axis;
  }
  return {axes, body.in(0, indices)};
}

/// Input 0, cast to the output's dtype, reduced as the node's attributes say. A scalar has nothing to reduce over.
loop::Expr reduce_input(loop::Body& body, loop::ReduceOp op) {
  const auto [axes, x] = domain(body, axes_of(body.node(), body.in_type(0).rank()), body.attribute<bool>("keep_dims"));
  const loop::Expr element = loop::cast(body.out_type().dtype, x);
  return axes.empty() ? element : body.reduce(op, axes, element);
}

template <loop::ReduceOp Op>
void lower_reduction(loop::Body& body) {
  body.yield(reduce_input(body, Op));
}

void lower_mean(loop::Body& body) {
  const Shape& shape = body.in_type(0).shape;
  const loop::Expr count = body.extent(count_along(shape, axes_of(body.node(), shape.size())));
  body.yield(reduce_input(body, loop::ReduceOp::sum) / loop::cast(body.out_type().dtype, count));
}

/// `y`, an output of the node or its gradient, with the reduced axes back as 1, so that it broadcasts to the input.
Value with_axes(const GradientContext& g, const Value& y) {
  if (g.attribute<bool>("keep_dims")) return y;
  const Shape& shape = g.in(0).shape();
  const auto axes = axes_of(g.node(), shape.size());
  return axes.empty() ? y : reshape(y, reduced_shape(shape, axes, true));
}

Values sum_gradient(const GradientContext& g) {
  return {broadcast_to(with_axes(g, g.dy()), g.in(0).shape())};
}

Values mean_gradient(const GradientContext& g) {
  const Value x = g.in(0);
  const Value count = extent(g.graph, count_along(x.shape(), axes_of(g.node(), x.rank())), x.dtype());
  return {broadcast_to(with_axes(g, g.dy() / count), x.shape())};
}

/// dx = dy / ties where x equals the extremum, else 0.
Values extremum_gradient(const GradientContext& g) {
  const Value x = g.in(0);
  const Value chosen = cast(equal(x, with_axes(g, g.y())), x.dtype());
  const Value ties = sum(chosen, g.attribute<Extents>("axes"), true);
  return {chosen * (with_axes(g, g.dy()) / ties)};
}

/// dx[i] = dy * product of x[j] over j != i. The table [.., i, j] of factors is never stored: it fuses into the
/// product.
Values prod_gradient(const GradientContext& g) {
  const Value x = g.in(0);
  const auto axes = axes_of(g.node(), x.rank());
  if (axes.empty()) return {g.dy()};
  std::vector<std::int64_t> to_last;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) to_last.push_back(static_cast<std::int64_t>(axis));
  }
  to_last.insert(to_last.end(), axes.begin(), axes.end());
  std::vector<std::int64_t> back(to_last.size());
  for (std::size_t axis = 0; axis < to_last.size(); ++axis) {
    back[static_cast<std::size_t>(to_last[axis])] = static_cast<std::int64_t>(axis);
  }

  const Dim count = count_along(x.shape(), axes);
  const Value moved = transpose(x, to_last);
  const Shape kept = reduced_shape(x.shape(), axes, false);
  Shape row = kept;
  row.insert(row.end(), {Dim(1), count});
  const Value index = iota(g.graph, count);
  const Value self = equal(expand_dims(index, 1), expand_dims(index, 0));
  const Value others = prod(select(self, 1, reshape(moved, row)), {-1});
  Shape column = kept;
  column.emplace_back(1);
  const Value dx = others * reshape(g.dy(), column);
  return {transpose(reshape(dx, moved.shape()), back)};
}

/// A reduction of whole arrays in double, as a sample's reference: all of `fold`, then `finish` with the count.
std::function<SampleArray(std::span<const SampleArray>)> reference(Extents axes, bool keep_dims, double start,
                                                                   double (*fold)(double, double),
                                                                   double (*finish)(double, double) = nullptr) {
  return [=](std::span<const SampleArray> in) {
    const SampleArray& x = in[0];
    const auto reduced_axes = resolve_axes(axes, x.shape.size());
    const auto is_reduced = [&](std::size_t axis) {
      return std::find(reduced_axes.begin(), reduced_axes.end(), axis) != reduced_axes.end();
    };
    SampleArray y;
    for (std::size_t axis = 0; axis < x.shape.size(); ++axis) {
      if (!is_reduced(axis)) y.shape.push_back(x.shape[axis]);
      if (is_reduced(axis) && keep_dims) y.shape.push_back(1);
    }
    y.data.assign(static_cast<std::size_t>(element_count(y.shape)), start);
    for (std::size_t flat = 0; flat < x.data.size(); ++flat) {
      std::size_t rest = flat;
      std::size_t target = 0;
      std::size_t stride = 1;
      for (std::size_t axis = x.shape.size(); axis-- > 0;) {
        const auto extent = static_cast<std::size_t>(x.shape[axis]);
        if (!is_reduced(axis)) {
          target += rest % extent * stride;
          stride *= extent;
        }
        rest /= extent;
      }
      y.data[target] = fold(y.data[target], x.data[flat]);
    }
    if (finish) {
      const double count = y.data.empty() ? 0 : static_cast<double>(x.data.size()) / static_cast<double>(y.data.size());
      for (double& value : y.data) value = finish(value, count);
    }
    return y;
  };
}

double added(double a, double b) {
  return a + b;
}
double multiplied(double a, double b) {
  return a * b;
}
double larger(double a, double b) {
  return std::max(a, b);
}
double smaller(double a, double b) {
  return std::min(a, b);
}
double either(double a, double b) {
  return a != 0 || b != 0 ? 1 : 0;
}
double both(double a, double b) {
  return a != 0 && b != 0 ? 1 : 0;
}
double divide_by_count(double total, double count) {
  return total / count;
}

constexpr double infinity = std::numeric_limits<double>::infinity();

Sample sample(SampleInput x, Extents axes, bool keep_dims, double start, double (*fold)(double, double),
              double (*finish)(double, double) = nullptr) {
  return {.in = {std::move(x)},
          .attributes = {{"axes", axes}, {"keep_dims", keep_dims}},
          .whole = reference(axes, keep_dims, start, fold, finish)};
}

std::vector<BadSample> bad_axes(DType dtype) {
  return {
      {.in = {{dtype, {2, 3}}},
       .attributes = {{"axes", Extents{2}}},
       .error = "axis 2 is outside [-2, 2): the input has rank 2"},
      {.in = {{dtype, {2, 3}}}, .attributes = {{"axes", Extents{-3}}}, .error = "axis -3 is outside [-2, 2)"},
      {.in = {{dtype, {2, 3}}}, .attributes = {{"axes", Extents{1, -1}}}, .error = "axis 1 is named twice in [1, -1]"}};
}

std::vector<BadSample> bad_axes_and(DType dtype, BadSample other) {
  std::vector<BadSample> bad = bad_axes(dtype);
  bad.push_back(std::move(other));
  return bad;
}

Value reduction(const Op& op, const Value& x, std::vector<std::int64_t> axes, bool keep_dims,
                std::source_location where) {
  return x.graph().apply(
      {.op = op, .inputs = {x}, .attributes = {{"axes", std::move(axes)}, {"keep_dims", keep_dims}}, .where = where});
}

}  // namespace

const Op op::extent{{
    .name = "extent",
    .doc = "The number that a symbolic extent stands for, as a scalar.",
    .kind = Kind::elementwise,
    .attributes = {{"dim", "The extent, as a shape of rank 1.", std::nullopt}, {"dtype", "Of the result.", DType::i64}},
    .infer = [](const InferContext& context) -> std::vector<TensorType> {
      if (context.attribute<Shape>("dim").size() != 1) context.fail("takes one extent");
      return {{context.attribute<DType>("dtype"), {}}};
    },
    .not_differentiable = "an extent does not depend on any element",
    .lower =
        [](loop::Body& body) {
          const loop::Expr count = body.extent(body.attribute<Shape>("dim").front());
          body.yield(loop::cast(body.out_type().dtype, count));
        },
    .samples = []() -> Samples {
      return {{.in = {},
               .attributes = {{"dim", Shape{12}}, {"dtype", DType::f32}},
               .whole =
                   [](std::span<const SampleArray>) {
                     return SampleArray{{}, {12}};
                   }},
              {.in = {}, .attributes = {{"dim", Shape{7}}}, .whole = [](std::span<const SampleArray>) {
                 return SampleArray{{}, {7}};
               }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {}, .attributes = {{"dim", Shape{}}}, .error = "takes one extent"}};
    },
}};

const Op op::sum{{
    .name = "sum",
    .doc = "The sum over axes, 0 over none. Floats keep their dtype; integers and bools give i64.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = reduction_attributes,
    .infer = infer_sum,
    .gradient = sum_gradient,
    .lower = lower_reduction<loop::ReduceOp::sum>,
    .shows_nonfinite = 1,
    .onnx = "ReduceSum",
    .samples = []() -> Samples {
      return {sample({.shape = {3, dim("n")}}, {}, false, 0, added),
              sample({.shape = {3, dim("n")}}, {1}, false, 0, added),
              sample({.shape = {dim("n"), 3}}, {0}, true, 0, added),
              sample({.shape = {2, 3, 4}}, {-1, 0}, false, 0, added),
              sample({.shape = {}}, {}, false, 0, added),
              sample({.dtype = DType::u8, .shape = {33}, .low = 0, .high = 255}, {}, false, 0, added),
              sample({.dtype = DType::boolean, .shape = {dim("n")}, .low = 0, .high = 1}, {}, false, 0, added)};
    },
    .bad_samples = [] { return bad_axes(DType::f32); },
}};

const Op op::mean{{
    .name = "mean",
    .doc = "The sum over axes divided by the number of elements there; NaN over none.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = reduction_attributes,
    .infer = infer_mean,
    .gradient = mean_gradient,
    .lower = lower_mean,
    .shows_nonfinite = 1,
    .onnx = "ReduceMean",
    .samples = []() -> Samples {
      return {sample({.shape = {33}}, {}, false, 0, added, divide_by_count),
              sample({.shape = {dim("n"), 9}}, {1}, false, 0, added, divide_by_count),
              sample({.shape = {7, dim("n")}}, {0}, true, 0, added, divide_by_count),
              sample({.shape = {2, 3, 4}}, {0, 2}, false, 0, added, divide_by_count)};
    },
    .bad_samples =
        [] {
          return bad_axes_and(DType::f32,
                              {.in = {{DType::i32, {2}}}, .error = "is of floats, and x is i32: cast it first"});
        },
}};

const Op op::prod{{
    .name = "prod",
    .doc = "The product over axes, 1 over none. Floats keep their dtype; integers and bools give i64.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = reduction_attributes,
    .infer = infer_sum,
    .gradient = prod_gradient,
    .lower = lower_reduction<loop::ReduceOp::prod>,
    .onnx = "ReduceProd",
    .samples = []() -> Samples {
      return {sample({.shape = {9}, .low = 0.5, .high = 1.5}, {}, false, 1, multiplied),
              sample({.shape = {dim("n"), 5}, .low = -1.5, .high = 1.5}, {1}, false, 1, multiplied),
              sample({.shape = {2, 3, 2}}, {0, -1}, true, 1, multiplied),
              sample({.shape = {2, 3}, .values = {0, 2, 3, 0, 0, 5}}, {1}, false, 1, multiplied),
              sample({.dtype = DType::i32, .shape = {5}, .low = -4, .high = 4}, {}, false, 1, multiplied)};
    },
    .bad_samples = [] { return bad_axes(DType::f32); },
}};

const Op op::reduce_max{{
    .name = "reduce_max",
    .doc = "The largest element over axes; NaN if any is NaN; the dtype's smallest number over none.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = reduction_attributes,
    .infer = infer_extremum,
    .gradient = extremum_gradient,
    .lower = lower_reduction<loop::ReduceOp::max>,
    .onnx = "ReduceMax",
    .samples = []() -> Samples {
      return {sample({.shape = {33}}, {}, false, -infinity, larger),
              sample({.shape = {dim("n"), 9}}, {1}, false, -infinity, larger),
              sample({.shape = {5, dim("n")}}, {0}, true, -infinity, larger),
              sample({.dtype = DType::i32, .shape = {17}, .low = -9, .high = 9}, {}, false, -infinity, larger)};
    },
    .bad_samples =
        [] {
          return bad_axes_and(DType::f32,
                              {.in = {{DType::boolean, {2}}}, .error = "is of numbers, and x is bool: use any or all"});
        },
}};

const Op op::reduce_min{{
    .name = "reduce_min",
    .doc = "The smallest element over axes; NaN if any is NaN; the dtype's largest number over none.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = reduction_attributes,
    .infer = infer_extremum,
    .gradient = extremum_gradient,
    .lower = lower_reduction<loop::ReduceOp::min>,
    .onnx = "ReduceMin",
    .samples = []() -> Samples {
      return {sample({.shape = {33}}, {}, false, infinity, smaller),
              sample({.shape = {dim("n"), 9}}, {1}, false, infinity, smaller),
              sample({.shape = {5, dim("n")}}, {0}, true, infinity, smaller),
              sample({.dtype = DType::i64, .shape = {17}, .low = -9, .high = 9}, {}, false, infinity, smaller)};
    },
    .bad_samples =
        [] {
          return bad_axes_and(DType::f32,
                              {.in = {{DType::boolean, {2}}}, .error = "is of numbers, and x is bool: use any or all"});
        },
}};

const Op op::any{{
    .name = "any",
    .doc = "Whether any element over axes is true; false over none.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = reduction_attributes,
    .infer = infer_logical,
    .not_differentiable = "its result is bool",
    .lower = lower_reduction<loop::ReduceOp::any>,
    .samples = []() -> Samples {
      return {sample({.dtype = DType::boolean, .shape = {5, 2}, .low = 0, .high = 1}, {1}, false, 0, either),
              sample({.dtype = DType::boolean, .shape = {dim("n")}, .low = 0, .high = 0}, {}, true, 0, either)};
    },
    .bad_samples =
        [] {
          return bad_axes_and(DType::boolean, {.in = {{DType::f32, {2}}}, .error = "is of bools, and x is f32"});
        },
}};

const Op op::all{{
    .name = "all",
    .doc = "Whether all elements over axes are true; true over none.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = reduction_attributes,
    .infer = infer_logical,
    .not_differentiable = "its result is bool",
    .lower = lower_reduction<loop::ReduceOp::all>,
    .samples = []() -> Samples {
      return {sample({.dtype = DType::boolean, .shape = {5, 2}, .low = 0, .high = 1}, {1}, false, 1, both),
              sample({.dtype = DType::boolean, .shape = {dim("n")}, .low = 1, .high = 1}, {}, true, 1, both)};
    },
    .bad_samples =
        [] {
          return bad_axes_and(DType::boolean, {.in = {{DType::i32, {2}}}, .error = "is of bools, and x is i32"});
        },
}};

Value extent(Graph& graph, const Dim& dim, DType dtype, std::source_location where) {
  return graph.apply({.op = op::extent, .attributes = {{"dim", Shape{dim}}, {"dtype", dtype}}, .where = where});
}

Value sum(Value x, std::vector<std::int64_t> axes, bool keep_dims, std::source_location where) {
  return reduction(op::sum, x, std::move(axes), keep_dims, where);
}

Value mean(Value x, std::vector<std::int64_t> axes, bool keep_dims, std::source_location where) {
  return reduction(op::mean, x, std::move(axes), keep_dims, where);
}

Value prod(Value x, std::vector<std::int64_t> axes, bool keep_dims, std::source_location where) {
  return reduction(op::prod, x, std::move(axes), keep_dims, where);
}

Value reduce_max(Value x, std::vector<std::int64_t> axes, bool keep_dims, std::source_location where) {
  return reduction(op::reduce_max, x, std::move(axes), keep_dims, where);
}

Value reduce_min(Value x, std::vector<std::int64_t> axes, bool keep_dims, std::source_location where) {
  return reduction(op::reduce_min, x, std::move(axes), keep_dims, where);
}

Value any(Value x, std::vector<std::int64_t> axes, bool keep_dims, std::source_location where) {
  return reduction(op::any, x, std::move(axes), keep_dims, where);
}

Value all(Value x, std::vector<std::int64_t> axes, bool keep_dims, std::source_location where) {
  return reduction(op::all, x, std::move(axes), keep_dims, where);
}

}  // namespace lathe
