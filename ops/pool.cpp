#include <lathe/ops/pool.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/arithmetic.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/rules.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

InferredTypes infer_max_pool(const InferContext& context) {
  const TensorType& x = context.in(0);
  require_float(context, 0);
  require_size(context, "window");
  require_size(context, "strides");
  if (x.rank() != 4) {
    context.fail(fmt::format("takes images [N, H, W, C], and x {} has rank {}", to_string(x.shape), x.rank()));
  }
  Shape y = x.shape;
  for (std::size_t a = 0; a < 2; ++a) {
    y[1 + a] = windows_along(context, 1 + a, x.shape[1 + a], context.attribute<Extents>("window")[a],
                             context.attribute<Extents>("strides")[a]);
  }
  return {{x.dtype, y}};
}

void lower_max_pool(loop::Body& body) {
  const Extents& window = body.attribute<Extents>("window");
  const Extents& strides = body.attribute<Extents>("strides");
  const loop::AxisId kh = body.reduce_axis(window[0], "kh");
  const loop::AxisId kw = body.reduce_axis(window[1], "kw");
  const loop::Expr row = body.axis(1) * body.extent(strides[0]) + body.index(kh);
  const loop::Expr column = body.axis(2) * body.extent(strides[1]) + body.index(kw);
  body.yield(body.reduce(loop::ReduceOp::max, {kh, kw}, body.in(0, {body.axis(0), row, column, body.axis(3)})));
}

Size2d size_of_attribute(const GradientContext& g, std::string_view name) {
  const Extents& extents = g.attribute<Extents>(name);
  return {extents[0], extents[1]};
}

/// Per window the number of its first largest element; then dy there and 0 elsewhere, summed over windows. That is a
/// graph of its own, linear in dy, with the gradients it has by itself.
Values max_pool_gradient(const GradientContext& g) {
  const Size2d window = size_of_attribute(g, "window");
  const Value all = windows(g.in(0), window, size_of_attribute(g, "strides"));
  // [N, OH, OW, C] to [N, OH, OW, 1, 1, C]
  const auto of_window = [](const Value& y) { return expand_dims(expand_dims(y, 3), 3); };
  const Value largest = equal(all, of_window(g.y())) | not_equal(all, all);
  Tensor numbers(DType::i32, {window.height, window.width, 1});
  const auto number = numbers.data<std::int32_t>();
  for (std::size_t i = 0; i < number.size(); ++i) number[i] = static_cast<std::int32_t>(i);
  const Value position = constant(g.graph, std::move(numbers));
  const Value first = reduce_min(select(largest, position, window.height * window.width), {3, 4}, true);
  const Value chosen = select(equal(position, first), of_window(g.dy()), 0);
  const Shape& x = g.in(0).shape();
  return {g.graph.apply({.op = op::sum_windows,
                         .inputs = {chosen},
                         .attributes = {{"strides", g.attribute<Extents>("strides")}, {"image", Shape{x[1], x[2]}}}})};
}

Sample sample(SampleInput x, Extents window, Extents strides) {
  return {.in = {std::move(x)},
          .attributes = {{"window", window}, {"strides", strides}},
          .whole = [=](std::span<const SampleArray> in) {
            const Extents& shape = in[0].shape;
            const auto count = [&](std::size_t a) { return (shape[1 + a] - window[a]) / strides[a] + 1; };
            return array_of({shape[0], count(0), count(1), shape[3]}, [&](std::span<const std::int64_t> i) {
              double largest = -infinity;
              array_of(window, [&](std::span<const std::int64_t> k) {
                const double x =
                    element(in[0], std::vector{i[0], i[1] * strides[0] + k[0], i[2] * strides[1] + k[1], i[3]});
                if (x > largest || std::isnan(x)) largest = x;
                return 0.0;
              });
              return largest;
            });
          }};
}

/// x with its padding, `value` everywhere; x itself if there is none or the type rule has something to say of it.
Value surrounded(std::string_view name, const Value& x, const Size2d& window, const Size2d& strides,
                 const Padding& padding, double value, const std::source_location& where) {
  const bool positive = std::min({window.height, window.width, strides.height, strides.width}) >= 1;
  if (x.rank() != 4 || !positive) return x;
  const auto amounts = padding.amounts({x.shape()[1], x.shape()[2]}, window.extents(), strides.extents());
  if (!amounts) {
    throw GraphError(
        fmt::format("{} ({}): how far padding reaches around x {} at strides of {} depends on more than a "
                    "polynomial says: give it as numbers, by Padding::by",
                    name, describe(SourceLine(where)), to_string(x.shape()), to_string(strides.extents())));
  }
  if (amounts->low == Extents{0, 0} && amounts->high == amounts->low) return x;
  return pad(x, {0, amounts->low[0], amounts->low[1], 0}, {0, amounts->high[0], amounts->high[1], 0}, value, where);
}

}  // namespace

const Op op::max_pool2d{{
    .name = "max_pool2d",
    .doc = "The largest element of each window of images; NaN if any is NaN.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"window", "Height and width of a window.", {}},
                   {"strides", "How far apart windows start, downwards and to the right.", {}}},
    .infer = infer_max_pool,
    .gradient = max_pool_gradient,
    .lower = lower_max_pool,
    .samples = []() -> Samples {
      return {sample({.shape = {dim("n"), 4, 6, 3}}, {2, 2}, {2, 2}),
              sample({.shape = {2, 7, 5, dim("n")}}, {2, 3}, {2, 2}),
              sample({.shape = {1, dim("n") + Dim(2), 6, 2}}, {3, 2}, {1, 1}),
              sample({.shape = {1, 7, 8, 17}}, {2, 1}, {3, 2}),
              sample({.shape = {1, 4, 4, 1},
                      .values = {1, std::nan(""), 3, 3, std::nan(""), 2, 3, -infinity, -infinity, -infinity, 0, -0.0,
                                 -infinity, -infinity, -0.0, 0},
                      .differentiate = false},
                     {2, 2}, {2, 2})};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {28, 28}}},
               .attributes = {{"window", Extents{2, 2}}, {"strides", Extents{2, 2}}},
               .error = "takes images [N, H, W, C], and x [28, 28] has rank 2"},
              {.in = {{DType::u8, {1, 28, 28, 1}}},
               .attributes = {{"window", Extents{2, 2}}, {"strides", Extents{2, 2}}},
               .error = "wants f32 or f64, and input 0 is u8 [1, 28, 28, 1]: cast it first"},
              {.in = {{DType::f32, {dim("batch"), 2, 8, 3}}},
               .attributes = {{"window", Extents{3, 3}}, {"strides", Extents{2, 2}}},
               .error = "a window spans 3 along axis 1, x [batch, 2, 8, 3] has 2 there"},
              {.in = {{DType::f32, {1, 8, 8, 3}}},
               .attributes = {{"window", Extents{2, 0}}, {"strides", Extents{2, 2}}},
               .error = "'window' [2, 0] has to be two numbers of at least 1"}};
    },
}};

Value max_pool2d(Value x, Size2d window, const PoolOptions& options, std::source_location where) {
  const Size2d strides = options.strides.value_or(window);
  const Value padded = surrounded("max_pool2d", x, window, strides, options.padding, -infinity, where);
  return x.graph().apply({.op = op::max_pool2d,
                          .inputs = {padded},
                          .attributes = {{"window", window.extents()}, {"strides", strides.extents()}},
                          .where = where});
}

Value avg_pool2d(Value x, Size2d window, const PoolOptions& options, std::source_location where) {
  const Graph::Scope scope(x.graph(), "avg_pool2d");
  const Size2d strides = options.strides.value_or(window);
  const Value padded = surrounded("avg_pool2d", x, window, strides, options.padding, 0, where);
  const Value all = windows(padded, window, strides, where);
  if (padded == x) return mean(all, {3, 4}, false, where);
  const Value ones = fill(x.graph(), {1, x.shape()[1], x.shape()[2], 1}, 1, x.dtype(), where);
  const Value inside = surrounded("avg_pool2d", ones, window, strides, options.padding, 0, where);
  const Value count = sum(windows(inside, window, strides, where), {3, 4}, false, where);
  return div(sum(all, {3, 4}, false, where), count, where);
}

}  // namespace lathe
