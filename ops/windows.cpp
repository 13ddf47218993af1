#include <lathe/ops/windows.h>

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/guarded_load.h>
#include <lathe/ops/rules.h>

namespace lathe {
namespace {

constexpr std::size_t first_axis = 1;  // of the two that windows slide along

/// floor(a / b) for b > 0, if that is a polynomial.
std::optional<Dim> floor_divide(const Dim& a, std::int64_t b) {
  for (std::int64_t rest = 0; rest < b; ++rest) {
    if (const auto exact = divide(a - Dim(rest), Dim(b))) return exact;
  }
  return std::nullopt;
}

InferredTypes infer_windows(const InferContext& context) {
  const TensorType& x = context.in(0);
  require_size(context, "window");
  require_size(context, "strides");
  if (x.rank() != 4) {
    context.fail(fmt::format("takes images [N, H, W, C], and x {} has rank {}", to_string(x.shape), x.rank()));
  }
  const Extents& window = context.attribute<Extents>("window");
  const Extents& strides = context.attribute<Extents>("strides");
  Shape shape = {x.shape[0]};
  for (std::size_t a = 0; a < 2; ++a) {
    const std::size_t axis = first_axis + a;
    shape.push_back(windows_along(context, axis, x.shape[axis], window[a], strides[a]));
  }
  for (const std::int64_t extent : window) shape.emplace_back(extent);
  shape.push_back(x.shape[3]);
  return {{x.dtype, shape}};
}

void lower_windows(loop::Body& body) {
  const Extents& strides = body.attribute<Extents>("strides");
  const auto position = [&](std::size_t a) {
    return body.axis(first_axis + a) * body.extent(strides[a]) + body.axis(first_axis + a + 2);
  };
  body.yield(body.in(0, {body.axis(0), position(0), position(1), body.axis(5)}));
}

InferredTypes infer_sum_windows(const InferContext& context) {
  const TensorType& y = context.in(0);
  require_size(context, "strides");
  require_float(context, 0);
  if (y.rank() != 6 || !y.shape[3].is_constant() || !y.shape[4].is_constant()) {
    context.fail(fmt::format("takes windows [N, OH, OW, height, width, C] of constant size, not {}", to_string(y)));
  }
  const Extents& strides = context.attribute<Extents>("strides");
  const Shape image = context.graph.resolve(context.attribute<Shape>("image"));
  if (image.size() != 2) context.fail(fmt::format("'image' {} has to be a height and a width", to_string(image)));
  for (std::size_t a = 0; a < 2; ++a) {
    const std::size_t axis = first_axis + a;
    const Dim count = windows_along(context, axis, image[a], y.shape[axis + 2].constant(), strides[a]);
    context.unify(y.shape[axis], count,
                  fmt::format("an image {} has {} windows along axis {}, x {} has {}", to_string(image),
                              to_string(count), axis, to_string(y.shape), to_string(y.shape[axis])));
  }
  return {{y.dtype, {y.shape[0], image[0], image[1], y.shape[5]}}};
}

/// An element lies in the windows that start at most a window's length before it. Where windows do not overlap that is
/// one or none, and there is nothing to reduce: a plain, perhaps guarded, load.
void lower_sum_windows(loop::Body& body) {
  const Shape& from = body.in_type(0).shape;
  const Shape& image = body.out_type().shape;
  const Extents& strides = body.attribute<Extents>("strides");
  const loop::Expr zero = body.extent(0);
  std::vector<loop::AxisId> overlaps;
  std::optional<loop::Expr> taken;
  const auto require = [&](loop::Expr condition) { taken = taken ? *taken & condition : condition; };
  std::vector<loop::Expr> which;   // window
  std::vector<loop::Expr> within;  // it
  std::vector<std::size_t> unsure;
  for (std::size_t a = 0; a < 2; ++a) {
    const std::size_t axis = first_axis + a;
    const std::int64_t extent = from[axis + 2].constant();
    const std::int64_t stride = strides[a];
    const std::int64_t most = (extent + stride - 1) / stride;  // windows that an element can be in
    const loop::Expr position = body.axis(axis);
    loop::Expr last = loop::floor_div(position, body.extent(stride));
    loop::Expr offset = loop::mod(position, body.extent(stride));
    if (most > 1) {  // from the first window to the last
      overlaps.push_back(body.reduce_axis(most));
      const loop::Expr back = body.extent(most - 1) - body.index(overlaps.back());
      last = last - back;
      offset = offset + back * body.extent(stride);
      require(last >= zero);
    }
    const bool covered = loop::never_negative(from[axis] * Dim(stride) - image[axis]);
    if (!covered) require(last < body.extent(from[axis]));
    if (!covered || most > 1) unsure.push_back(axis);
    if (most * stride > extent) {
      require(offset < body.extent(extent));
      unsure.push_back(axis + 2);
    }
    which.push_back(last);
    within.push_back(offset);
  }
  const std::vector<loop::Expr> indices = {body.axis(0), which[0], which[1], within[0], within[1], body.axis(3)};
  loop::Expr value = taken ? load_moved_inside(body, 0, indices, unsure) : body.in(0, indices);
  if (taken) value = loop::select(*taken, value, body.constant(value.dtype(), 0));
  body.yield(overlaps.empty() ? value : body.reduce(loop::ReduceOp::sum, overlaps, value));
}

Value apply_sum_windows(const Value& y, const Extents& strides, Shape image) {
  return y.graph().apply(
      {.op = op::sum_windows, .inputs = {y}, .attributes = {{"strides", strides}, {"image", std::move(image)}}});
}

Value apply_windows(const Value& x, Extents window, Extents strides, const std::source_location& where) {
  return x.graph().apply({.op = op::windows,
                          .inputs = {x},
                          .attributes = {{"window", std::move(window)}, {"strides", std::move(strides)}},
                          .where = where});
}

Sample windows_sample(Shape x, Extents window, Extents strides) {
  return {.in = {{.shape = std::move(x)}},
          .attributes = {{"window", window}, {"strides", strides}},
          .whole = [=](std::span<const SampleArray> in) {
            const Extents& shape = in[0].shape;
            const auto count = [&](std::size_t a) { return (shape[1 + a] - window[a]) / strides[a] + 1; };
            return array_of(
                {shape[0], count(0), count(1), window[0], window[1], shape[3]}, [&](std::span<const std::int64_t> i) {
                  return element(in[0], std::vector{i[0], i[1] * strides[0] + i[3], i[2] * strides[1] + i[4], i[5]});
                });
          }};
}

Sample sum_sample(Shape y, Extents strides, Shape image) {
  return {.in = {{.shape = std::move(y)}},
          .attributes = {{"strides", strides}, {"image", image}},
          .whole = [=](std::span<const SampleArray> in) {
            const Extents& shape = in[0].shape;
            const std::int64_t width = image[1].constant();
            // A symbolic height in samples is such that windows cover it.
            const std::int64_t height = image[0].as_constant().value_or((shape[1] - 1) * strides[0] + shape[3]);
            SampleArray x{{shape[0], height, width, shape[5]}, {}};
            x.data.assign(static_cast<std::size_t>(element_count(x.shape)), 0.0);
            array_of(shape, [&](std::span<const std::int64_t> i) {
              const std::int64_t p = i[1] * strides[0] + i[3];
              const std::int64_t q = i[2] * strides[1] + i[4];
              x.data[static_cast<std::size_t>(((i[0] * height + p) * width + q) * shape[5] + i[5])] +=
                  element(in[0], i);
              return 0.0;
            });
            return x;
          }};
}

}  // namespace

const Op op::windows{{
    .name = "windows",
    .doc = "All windows of images: element [n, i, j, k, l, c] is x[n, i * strides[0] + k, j * strides[1] + l, c].",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"window", "Height and width of a window.", {}},
                   {"strides", "How far apart windows start, downwards and to the right.", Extents{1, 1}}},
    .infer = infer_windows,
    .gradient = [](const GradientContext& g) -> Values {
      const Shape& x = g.in(0).shape();
      return {apply_sum_windows(g.dy(), g.attribute<Extents>("strides"), {x[1], x[2]})};
    },
    .lower = lower_windows,
    .samples = []() -> Samples {
      return {windows_sample({dim("n"), 5, 7, 2}, {3, 2}, {1, 1}), windows_sample({2, 7, 6, 3}, {2, 3}, {2, 3}),
              windows_sample({1, dim("n") + Dim(2), 6, 3}, {3, 2}, {1, 3})};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {28, 28}}},
               .attributes = {{"window", Extents{2, 2}}},
               .error = "takes images [N, H, W, C], and x [28, 28] has rank 2"},
              {.in = {{DType::f32, {1, 2, 8, 3}}},
               .attributes = {{"window", Extents{3, 3}}},
               .error = "a window spans 3 along axis 1, x [1, 2, 8, 3] has 2 there"},
              {.in = {{DType::f32, {1, dim("h"), 8, 3}}},
               .attributes = {{"window", Extents{2, 2}}, {"strides", Extents{2, 2}}},
               .error = "how many windows of 2 fit into h at a stride of 2 depends on more than a polynomial"},
              {.in = {{DType::f32, {1, 8, 8, 3}}},
               .attributes = {{"window", Extents{3, 3}}, {"strides", Extents{0, 1}}},
               .error = "'strides' [0, 1] has to be two numbers of at least 1"},
              {.in = {{DType::f32, {1, 8, 8, 3}}},
               .attributes = {{"window", Extents{3}}},
               .error = "'window' [3] has to be two numbers of at least 1"}};
    },
}};

const Op op::sum_windows{{
    .name = "sum_windows",
    .doc = "Images from windows: each element is the sum of that element in all windows it is in, 0 if it is in none.",
    .kind = Kind::reduction,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"strides", "How far apart windows start, downwards and to the right.", Extents{1, 1}},
                   {"image", "Height and width of the result.", {}}},
    .infer = infer_sum_windows,
    .gradient = [](const GradientContext& g) -> Values {
      const Shape& y = g.in(0).shape();
      return {apply_windows(g.dy(), {y[3].constant(), y[4].constant()}, g.attribute<Extents>("strides"),
                            std::source_location::current())};
    },
    .lower = lower_sum_windows,
    .samples = []() -> Samples {
      return {sum_sample({dim("n"), 3, 6, 3, 2, 2}, {1, 1}, {5, 7}), sum_sample({2, 3, 2, 2, 3, 3}, {2, 3}, {7, 6}),
              sum_sample({1, 2, 3, 3, 1, 2}, {2, 2}, {6, 6}),
              sum_sample({1, dim("n"), 2, 3, 2, 9}, {1, 3}, {dim("n") + Dim(2), 6})};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {1, 3, 3, 2, 2, 1}}},
               .attributes = {{"image", Shape{5, 4}}},
               .error = "an image [5, 4] has 4 windows along axis 1, x [1, 3, 3, 2, 2, 1] has 3"},
              {.in = {{DType::f32, {1, 3, 3, 1}}},
               .attributes = {{"image", Shape{5, 4}}},
               .error = "takes windows [N, OH, OW, height, width, C] of constant size, not f32 [1, 3, 3, 1]"},
              {.in = {{DType::f32, {1, 3, 3, 2, 2, 1}}},
               .attributes = {{"image", Shape{4}}},
               .error = "'image' [4] has to be a height and a width"}};
    },
}};

std::optional<Padding::Amounts> Padding::amounts(const Shape& image, const Extents& spans,
                                                 const Extents& strides) const {
  if (rule_ != Rule::same) return Amounts{low_.extents(), high_.extents()};
  Amounts out;
  for (std::size_t a = 0; a < 2; ++a) {
    const auto before_last = floor_divide(image[a] - Dim(1), strides[a]);  // windows but one
    if (!before_last) return std::nullopt;
    const auto missing = (*before_last * Dim(strides[a]) + Dim(spans[a]) - image[a]).as_constant();
    if (!missing) return std::nullopt;
    const std::int64_t total = std::max<std::int64_t>(*missing, 0);
    out.low.push_back(total / 2);
    out.high.push_back(total - total / 2);
  }
  return out;
}

std::optional<Dim> windows_along(const Dim& extent, std::int64_t span, std::int64_t stride) {
  const auto more = floor_divide(extent - Dim(span), stride);
  return more ? std::optional(*more + Dim(1)) : std::nullopt;
}

Dim windows_along(const InferContext& context, std::size_t axis, const Dim& extent, std::int64_t span,
                  std::int64_t stride, std::string_view reach) {
  if (extent.is_constant() && extent.constant() < span) {
    context.fail(fmt::format("a window spans {} along axis {}, x {} has {} there{}", span, axis,
                             to_string(context.in(0).shape), to_string(extent), reach));
  }
  const auto count = windows_along(extent, span, stride);
  if (!count) {
    context.fail(
        fmt::format("how many windows of {} fit into {} at a stride of {} depends on more than a polynomial "
                    "says: such an extent has to be a number, or a multiple of the stride and a number",
                    span, to_string(extent), stride));
  }
  return *count;
}

void require_size(const InferContext& context, std::string_view attribute) {
  const Extents& size = context.attribute<Extents>(attribute);
  const bool positive = std::all_of(size.begin(), size.end(), [](std::int64_t extent) { return extent >= 1; });
  if (size.size() == 2 && positive) return;
  context.fail(fmt::format("'{}' {} has to be two numbers of at least 1", attribute, to_string(size)));
}

Value windows(Value x, Size2d window, Size2d strides, std::source_location where) {
  return apply_windows(x, window.extents(), strides.extents(), where);
}

}  // namespace lathe
