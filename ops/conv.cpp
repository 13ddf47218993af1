// Convolution is bilinear, so its two gradients and itself are derivatives of one sum of x * filter * dy:
//
//   y       = sum over k, l, c of x * filter     conv2d
//   dfilter = sum over n, i, j of x * dy         conv2d_filter_gradient
//   dx      = sum over k, l, o of dy * filter    conv2d again, once for each phase of the strides
//
// Each is differentiated by the other two. Pixels of x that are a stride apart meet the same elements of the filter,
// and those of different phases share none: so dx is as many convolutions of dy as a window has phases, each with its
// share of the filter, and no product is with a zero put between the elements of dy.
//
// Both ops take padding as attributes, so that gradients are exact in their extents. Lowered like that, a contraction
// chooses between a pixel and zero at every step. So a rewrite makes padding explicit, by the ops pad and slice: one
// copy of the image, and then a contraction that only has affine loads. Nothing the size of all windows is ever stored.
#include <lathe/ops/conv.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/conv_geometry.h>
#include <lathe/ops/guarded_load.h>
#include <lathe/ops/rules.h>

namespace lathe {
namespace {

const std::vector<AttributeSpec> geometry_attributes = {
    {"strides", "How far apart windows start, downwards and to the right.", Extents{1, 1}},
    {"low", "Rows of zeros above x, and columns to the left; negative ones cut x.", Extents{0, 0}},
    {"high", "Rows of zeros below x, and columns to the right; negative ones cut x.", Extents{0, 0}},
    {"dilations", "How far apart the elements of a window lie.", Extents{1, 1}},
    {"groups", "Of channels, each convolved on its own.", std::int64_t{1}},
};

// ---- Type rules

/// Fails unless input `i` is of floats [.., .., .., ..] and of x's dtype.
void require_images(const InferContext& context, std::size_t i, std::string_view name, std::string_view form) {
  const TensorType& type = context.in(i);
  if (type.rank() != 4) {
    context.fail(
        fmt::format("takes {} {}, and {} {} has rank {}", name, form, name, to_string(type.shape), type.rank()));
  }
  if (!is_float(type.dtype)) {
    context.fail(fmt::format("convolves floats, and {} is {}: cast it first", name, to_string(type.dtype)));
  }
  if (type.dtype != context.in(0).dtype) {
    context.fail(
        fmt::format("dtypes differ: x is {}, {} is {}", to_string(context.in(0).dtype), name, to_string(type.dtype)));
  }
}

void require_geometry(const InferContext& context) {
  for (const auto name : {"strides", "dilations"}) require_size(context, name);
  for (const auto name : {"low", "high"}) {
    if (context.attribute<Extents>(name).size() == 2) continue;
    context.fail(fmt::format("'{}' {} has to be two numbers", name, to_string(context.attribute<Extents>(name))));
  }
  if (context.attribute<std::int64_t>("groups") < 1) {
    context.fail(fmt::format("cannot have {} groups", context.attribute<std::int64_t>("groups")));
  }
}

/// The number of windows along a spatial axis of x.
Dim windows_of(const InferContext& context, std::size_t a, std::int64_t window) {
  const ConvGeometry geometry = ConvGeometry::of(context.node.attributes);
  const Dim extent = geometry.padded(a, context.in(0).shape[1 + a]);
  return windows_along(context, 1 + a, extent, geometry.span(a, window), geometry.strides[a],
                       geometry.is_padded() ? " with its padding" : "");
}

/// A group's share of `channels`, those of `name`.
Dim channels_of_group(const InferContext& context, std::string_view name, const Shape& shape) {
  const std::int64_t groups = context.attribute<std::int64_t>("groups");
  const auto share = divide(shape.back(), Dim(groups));
  if (!share) {
    context.fail(fmt::format("the {} channels of {} {} do not make {} groups", to_string(shape.back()), name,
                             to_string(shape), groups));
  }
  return *share;
}

InferredTypes infer_conv2d(const InferContext& context) {
  require_images(context, 0, "x", "[N, H, W, C]");
  require_images(context, 1, "filter", "[KH, KW, C / groups, OC]");
  require_geometry(context);
  const Shape& x = context.in(0).shape;
  const Shape& filter = context.in(1).shape;
  if (!filter[0].is_constant() || !filter[1].is_constant()) {
    context.fail(fmt::format("the window of filter {} has to be two numbers", to_string(filter)));
  }
  const std::int64_t groups = context.attribute<std::int64_t>("groups");
  const std::string of_groups = groups == 1 ? "" : fmt::format(" in each of {} groups", groups);
  context.unify(x[3], filter[2] * Dim(groups),
                fmt::format("channels differ: x {} has {}, filter {} takes {}{}", to_string(x), to_string(x[3]),
                            to_string(filter), to_string(filter[2]), of_groups));
  channels_of_group(context, "filter", filter);
  return {
      {context.in(0).dtype,
       {x[0], windows_of(context, 0, filter[0].constant()), windows_of(context, 1, filter[1].constant()), filter[3]}}};
}

InferredTypes infer_filter_gradient(const InferContext& context) {
  require_images(context, 0, "x", "[N, H, W, C]");
  require_images(context, 1, "dy", "[N, OH, OW, OC]");
  require_geometry(context);
  require_size(context, "window");
  const Shape& x = context.in(0).shape;
  const Shape& dy = context.in(1).shape;
  const Extents& window = context.attribute<Extents>("window");
  const Shape expected = {x[0], windows_of(context, 0, window[0]), windows_of(context, 1, window[1]), dy[3]};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    context.unify(
        dy[axis], expected[axis],
        fmt::format("x {} has windows for dy {}, which is {}", to_string(x), to_string(expected), to_string(dy)));
  }
  channels_of_group(context, "dy", dy);
  return {{context.in(0).dtype, {window[0], window[1], channels_of_group(context, "x", x), dy[3]}}};
}

// ---- Lowering

/// The pixel of x at [n, i * strides + k * dilations - low, c], or the zeros around it.
loop::Expr pixel(loop::Body& body, loop::Expr n, const std::array<loop::Expr, 2>& i, const std::array<loop::Expr, 2>& k,
                 loop::Expr c) {
  const ConvGeometry geometry = ConvGeometry::of(body.node().attributes);
  const Shape& x = body.in_type(0).shape;
  const loop::Expr zero = body.extent(0);
  std::vector<loop::Expr> indices = {n};
  std::vector<std::size_t> unsure;
  std::optional<loop::Expr> exists;
  const auto require = [&](loop::Expr condition) { exists = exists ? *exists & condition : condition; };
  for (std::size_t a = 0; a < 2; ++a) {
    indices.push_back(i[a] * body.extent(geometry.strides[a]) + k[a] * body.extent(geometry.dilations[a]) +
                      body.extent(-geometry.low[a]));
    if (geometry.low[a] > 0) require(indices.back() >= zero);
    if (geometry.high[a] > 0) require(indices.back() < body.extent(x[1 + a]));
    unsure.push_back(1 + a);
  }
  indices.push_back(c);
  if (!exists) return body.in(0, indices);
  const loop::Expr value = load_moved_inside(body, 0, indices, unsure);
  return loop::select(*exists, value, body.constant(value.dtype(), 0));
}

/// The channel of x that is number `c` of those that output channel `o` sees.
loop::Expr input_channel(loop::Body& body, loop::Expr c, loop::Expr o, const Dim& channels) {
  const Dim groups(body.attribute<std::int64_t>("groups"));
  if (groups == Dim(1)) return c;
  const Dim outputs = *divide(body.out_type().shape[3], groups);  // of a group
  return loop::floor_div(o, body.extent(outputs)) * body.extent(channels) + c;
}

void lower_conv2d(loop::Body& body) {
  const Shape& filter = body.in_type(1).shape;
  const loop::AxisId kh = body.reduce_axis(filter[0], "kh");
  const loop::AxisId kw = body.reduce_axis(filter[1], "kw");
  const loop::AxisId channel = body.reduce_axis(filter[2], "c");
  const loop::Expr k = body.index(kh);
  const loop::Expr l = body.index(kw);
  const loop::Expr c = body.index(channel);
  const loop::Expr o = body.axis(3);
  const loop::Expr x =
      pixel(body, body.axis(0), {body.axis(1), body.axis(2)}, {k, l}, input_channel(body, c, o, filter[2]));
  body.yield(body.contract({kh, kw, channel}, x, body.in(1, {k, l, c, o})));
}

void lower_filter_gradient(loop::Body& body) {
  const Shape& dy = body.in_type(1).shape;
  const loop::AxisId batch = body.reduce_axis(dy[0], "n");
  const loop::AxisId oh = body.reduce_axis(dy[1], "oh");
  const loop::AxisId ow = body.reduce_axis(dy[2], "ow");
  const loop::Expr n = body.index(batch);
  const loop::Expr i = body.index(oh);
  const loop::Expr j = body.index(ow);
  const loop::Expr o = body.axis(3);
  const loop::Expr c = input_channel(body, body.axis(2), o, body.out_type().shape[2]);
  const loop::Expr x = pixel(body, n, {i, j}, {body.axis(0), body.axis(1)}, c);
  body.yield(body.contract({batch, oh, ow}, x, body.in(1, {n, i, j, o})));
}

/// The same op over x with zeros around its pixels: what is contracted then is found without a choice.
std::optional<Value> explicit_padding(const RewriteContext& context) {
  ConvGeometry geometry = ConvGeometry::of(context.attributes);
  if (!geometry.is_padded()) return std::nullopt;
  const Value x = with_margins(context.inputs[0], geometry.low, geometry.high);
  geometry.low = geometry.high = {0, 0};
  Attributes attributes = context.attributes;
  for (const auto& [name, value] : geometry.attributes()) attributes.set(name, value);
  return context.graph.apply({.op = context.op, .inputs = {x, context.inputs[1]}, .attributes = attributes});
}

// ---- Gradients

Values conv2d_gradient(const GradientContext& g) {
  const Value x = g.in(0);
  const Value filter = g.in(1);
  const ConvGeometry geometry = ConvGeometry::of(g.node().attributes);
  Values flows(2);
  if (g.wants(0)) flows[0] = convolution_input_gradient(filter, g.dy(), x.shape(), geometry);
  if (!g.wants(1)) return flows;
  Attributes attributes = geometry.attributes();
  attributes.set("window", Extents{filter.shape()[0].constant(), filter.shape()[1].constant()});
  flows[1] = g.graph.apply({.op = op::conv2d_filter_gradient, .inputs = {x, g.dy()}, .attributes = attributes});
  return flows;
}

/// Its output is linear in x and dy, as the convolution is in x and the filter: `g.dy()` takes the filter's place.
Values filter_gradient_gradient(const GradientContext& g) {
  const ConvGeometry geometry = ConvGeometry::of(g.node().attributes);
  return {g.wants(0) ? convolution_input_gradient(g.dy(), g.in(1), g.in(0).shape(), geometry) : Value(),
          g.wants(1) ? convolve(g.in(0), g.dy(), geometry) : Value()};
}

// ---- Samples

/// Calls f(x, filter, y) with the row-major positions of all triples of elements that a convolution joins.
template <class F>
void for_each_product(const Extents& x, const Extents& filter, const Extents& y, const ConvGeometry& geometry, F f) {
  const std::int64_t outputs = y[3] / geometry.groups;
  array_of(y, [&](std::span<const std::int64_t> at) {
    array_of({filter[0], filter[1], filter[2]}, [&](std::span<const std::int64_t> k) {
      std::array<std::int64_t, 2> pixel{};
      for (std::size_t a = 0; a < 2; ++a) {
        pixel[a] = at[1 + a] * geometry.strides[a] + k[a] * geometry.dilations[a] - geometry.low[a];
        if (pixel[a] < 0 || pixel[a] >= x[1 + a]) return 0.0;
      }
      const std::int64_t channel = at[3] / outputs * filter[2] + k[2];
      f(((at[0] * x[1] + pixel[0]) * x[2] + pixel[1]) * x[3] + channel,
        ((k[0] * filter[1] + k[1]) * filter[2] + k[2]) * filter[3] + at[3],
        ((at[0] * y[1] + at[1]) * y[2] + at[2]) * y[3] + at[3]);
      return 0.0;
    });
    return 0.0;
  });
}

std::int64_t windows_in(const Extents& x, std::size_t a, std::int64_t window, const ConvGeometry& geometry) {
  return (geometry.padded(a, x[1 + a]).constant() - geometry.span(a, window)) / geometry.strides[a] + 1;
}

SampleArray zeros(Extents shape) {
  SampleArray array{std::move(shape), {}};
  array.data.assign(static_cast<std::size_t>(element_count(array.shape)), 0.0);
  return array;
}

Sample conv2d_sample(Shape x, Shape filter, const ConvGeometry& geometry = {}) {
  const auto reference = [geometry](std::span<const SampleArray> in) {
    const Extents& image = in[0].shape;
    const Extents& window = in[1].shape;
    SampleArray y = zeros(
        {image[0], windows_in(image, 0, window[0], geometry), windows_in(image, 1, window[1], geometry), window[3]});
    for_each_product(image, window, y.shape, geometry, [&](auto from, auto weight, auto to) {
      y.data[static_cast<std::size_t>(to)] +=
          in[0].data[static_cast<std::size_t>(from)] * in[1].data[static_cast<std::size_t>(weight)];
    });
    return y;
  };
  return {.in = {{.shape = std::move(x)}, {.shape = std::move(filter)}},
          .attributes = geometry.attributes(),
          .whole = reference};
}

Sample filter_gradient_sample(Shape x, Shape dy, const Extents& window, const ConvGeometry& geometry = {}) {
  Attributes attributes = geometry.attributes();
  attributes.set("window", window);
  const auto reference = [geometry, window](std::span<const SampleArray> in) {
    SampleArray filter = zeros({window[0], window[1], in[0].shape[3] / geometry.groups, in[1].shape[3]});
    for_each_product(in[0].shape, filter.shape, in[1].shape, geometry, [&](auto from, auto weight, auto to) {
      filter.data[static_cast<std::size_t>(weight)] +=
          in[0].data[static_cast<std::size_t>(from)] * in[1].data[static_cast<std::size_t>(to)];
    });
    return filter;
  };
  return {.in = {{.shape = std::move(x)}, {.shape = std::move(dy)}}, .attributes = attributes, .whole = reference};
}

}  // namespace

const Op op::conv2d{{
    .name = "conv2d",
    .doc = "y[n, i, j, o] = sum over k, l, c of x[n, i * strides + k * dilations - low, .., c] * filter[k, l, c, o].",
    .kind = Kind::contraction,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = geometry_attributes,
    .infer = infer_conv2d,
    .gradient = conv2d_gradient,
    .lower = lower_conv2d,
    .rewrites = {{"padding made explicit", explicit_padding}},
    .samples = []() -> Samples {
      return {conv2d_sample({dim("n"), 5, 4, 2}, {3, 2, 2, 3}),
              conv2d_sample({1, dim("n") + Dim(2), 7, 1}, {3, 3, 1, 2}, {.low = {1, 1}, .high = {1, 1}}),
              conv2d_sample({2, 5, 7, 3}, {1, 1, 3, dim("n")}),
              conv2d_sample({1, 4, 4, dim("n")}, {2, 2, dim("n"), 3}, {.low = {0, 0}, .high = {1, 1}}),
              conv2d_sample({2, 7, 6, 2}, {3, 2, 2, 3}, {.strides = {2, 3}, .low = {1, 0}, .high = {1, 1}}),
              conv2d_sample({1, 7, 8, 2}, {3, 2, 2, 2}, {.dilations = {2, 3}}),
              conv2d_sample({1, 6, 7, 2}, {3, 2, 2, 2}, {.strides = {4, 3}, .low = {1, 2}, .high = {2, 1}}),
              conv2d_sample({1, 9, 8, 1}, {3, 2, 1, 2}, {.strides = {2, 6}, .low = {0, 3}, .dilations = {2, 4}}),
              conv2d_sample({1, 6, 5, 1}, {2, 2, 1, 2}, {.strides = {2, 1}, .low = {-1, 1}, .high = {2, -2}}),
              conv2d_sample({1, 4, 4, 4}, {2, 3, 2, 6}, {.high = {1, 0}, .groups = 2}),
              conv2d_sample({2, 5, 4, 3}, {3, 3, 1, 3}, {.low = {1, 1}, .high = {1, 1}, .groups = 3}),
              conv2d_sample({1, 5, 5, 2}, {3, 3, 1, 4}, {.strides = {2, 2}, .groups = 2})};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {28, 28}}, {DType::f32, {3, 3, 1, 8}}},
               .error = "takes x [N, H, W, C], and x [28, 28] has rank 2"},
              {.in = {{DType::f32, {dim("batch"), 28, 28, 1}}, {DType::f32, {3, 3, 8}}},
               .error = "takes filter [KH, KW, C / groups, OC], and filter [3, 3, 8] has rank 3"},
              {.in = {{DType::u8, {1, 28, 28, 1}}, {DType::f32, {3, 3, 1, 8}}},
               .error = "convolves floats, and x is u8: cast it first"},
              {.in = {{DType::f32, {1, 28, 28, 1}}, {DType::f64, {3, 3, 1, 8}}},
               .error = "dtypes differ: x is f32, filter is f64"},
              {.in = {{DType::f32, {dim("batch"), 28, 28, 3}}, {DType::f32, {3, 3, 4, 8}}},
               .error = "channels differ: x [batch, 28, 28, 3] has 3, filter [3, 3, 4, 8] takes 4"},
              {.in = {{DType::f32, {1, 28, 28, 4}}, {DType::f32, {3, 3, 4, 8}}},
               .attributes = {{"groups", std::int64_t{2}}},
               .error = "channels differ: x [1, 28, 28, 4] has 4, filter [3, 3, 4, 8] takes 4 in each of 2 groups"},
              {.in = {{DType::f32, {1, 28, 28, 6}}, {DType::f32, {3, 3, 2, 8}}},
               .attributes = {{"groups", std::int64_t{3}}},
               .error = "the 8 channels of filter [3, 3, 2, 8] do not make 3 groups"},
              {.in = {{DType::f32, {1, 28, 28, 6}}, {DType::f32, {3, 3, 2, 8}}},
               .attributes = {{"groups", std::int64_t{0}}},
               .error = "cannot have 0 groups"},
              {.in = {{DType::f32, {1, 4, 28, 1}}, {DType::f32, {5, 5, 1, 8}}},
               .error = "a window spans 5 along axis 1, x [1, 4, 28, 1] has 4 there"},
              {.in = {{DType::f32, {1, 28, 4, 1}}, {DType::f32, {3, 3, 1, 8}}},
               .attributes = {{"low", Extents{1, 1}}, {"dilations", Extents{3, 3}}},
               .error = "a window spans 7 along axis 2, x [1, 28, 4, 1] has 5 there with its padding"},
              {.in = {{DType::f32, {1, dim("h"), 28, 1}}, {DType::f32, {3, 3, 1, 8}}},
               .attributes = {{"strides", Extents{2, 2}}},
               .error = "how many windows of 3 fit into h at a stride of 2 depends on more than a polynomial says"},
              {.in = {{DType::f32, {1, 28, 28, 1}}, {DType::f32, {dim("k"), 3, 1, 8}}},
               .error = "the window of filter [k, 3, 1, 8] has to be two numbers"},
              {.in = {{DType::f32, {1, 28, 28, 1}}, {DType::f32, {3, 3, 1, 8}}},
               .attributes = {{"strides", Extents{1, 0}}},
               .error = "'strides' [1, 0] has to be two numbers of at least 1"},
              {.in = {{DType::f32, {1, 28, 28, 1}}, {DType::f32, {3, 3, 1, 8}}},
               .attributes = {{"low", Extents{1}}},
               .error = "'low' [1] has to be two numbers"}};
    },
}};

const Op op::conv2d_filter_gradient{{
    .name = "conv2d_filter_gradient",
    .doc = "dfilter[k, l, c, o] = sum over n, i, j of x[n, i * strides + k * dilations - low, .., c] * dy[n, i, j, o].",
    .kind = Kind::contraction,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes =
        [] {
          std::vector<AttributeSpec> attributes = geometry_attributes;
          attributes.push_back({"window", "Height and width of the filter.", {}});
          return attributes;
        }(),
    .infer = infer_filter_gradient,
    .gradient = filter_gradient_gradient,
    .lower = lower_filter_gradient,
    .rewrites = {{"padding made explicit", explicit_padding}},
    .samples = []() -> Samples {
      return {filter_gradient_sample({dim("n"), 5, 4, 2}, {dim("n"), 3, 3, 3}, {3, 2}),
              filter_gradient_sample({1, dim("n") + Dim(2), 5, 2}, {1, dim("n") + Dim(2), 5, 2}, {3, 3},
                                     {.low = {1, 1}, .high = {1, 1}}),
              filter_gradient_sample({2, 7, 6, 2}, {2, 4, 2, 3}, {3, 2},
                                     {.strides = {2, 3}, .low = {1, 0}, .high = {1, 1}}),
              filter_gradient_sample({1, 7, 8, 2}, {1, 3, 5, 2}, {3, 2}, {.dilations = {2, 3}}),
              filter_gradient_sample({2, 4, 4, 4}, {2, 3, 2, 6}, {2, 3}, {.groups = 2}),
              filter_gradient_sample({2, 5, 4, dim("n")}, {2, 3, 2, dim("n")}, {3, 3})};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2, 5, 5, 1}}, {DType::f32, {2, 4, 3, 8}}},
               .attributes = {{"window", Extents{3, 3}}},
               .error = "x [2, 5, 5, 1] has windows for dy [2, 3, 3, 8], which is [2, 4, 3, 8]"},
              {.in = {{DType::f32, {2, 5, 5, 1}}, {DType::f32, {3, 3, 8}}},
               .attributes = {{"window", Extents{3, 3}}},
               .error = "takes dy [N, OH, OW, OC], and dy [3, 3, 8] has rank 3"},
              {.in = {{DType::f32, {2, 5, 5, 3}}, {DType::f32, {2, 3, 3, 8}}},
               .attributes = {{"window", Extents{3, 3}}, {"groups", std::int64_t{2}}},
               .error = "the 3 channels of x [2, 5, 5, 3] do not make 2 groups"}};
    },
}};

Value conv2d(Value x, Value filter, const Conv2dOptions& options, std::source_location where) {
  ConvGeometry geometry{
      .strides = options.strides.extents(), .dilations = options.dilations.extents(), .groups = options.groups};
  // Whatever is wrong with ranks and extents, the type rule says it.
  const auto positive = [](const Size2d& size) { return size.height >= 1 && size.width >= 1; };
  const bool fits = x.rank() == 4 && filter.rank() == 4 && filter.shape()[0].is_constant() &&
                    filter.shape()[1].is_constant() && positive(options.strides) && positive(options.dilations);
  if (!fits) return convolve(x, filter, geometry, where);
  Extents spans;
  for (std::size_t a = 0; a < 2; ++a) spans.push_back(geometry.span(a, filter.shape()[a].constant()));
  const auto padding = options.padding.amounts({x.shape()[1], x.shape()[2]}, spans, geometry.strides);
  if (!padding) {
    throw GraphError(
        fmt::format("conv2d ({}): how far padding reaches around x {} at strides of {} depends on more "
                    "than a polynomial says: give it as numbers, by Padding::by",
                    describe(SourceLine(where)), to_string(x.shape()), to_string(geometry.strides)));
  }
  geometry.low = padding->low;
  geometry.high = padding->high;
  return convolve(x, filter, geometry, where);
}

}  // namespace lathe
