#include <lathe/ops/source.h>

#include <cmath>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/rules.h>
#include <lathe/ops/shape.h>

namespace lathe {
namespace {

std::vector<TensorType> infer_declared(const InferContext& context) {
  return {{context.attribute<DType>("dtype"), context.attribute<Shape>("shape")}};
}

std::vector<TensorType> infer_fill(const InferContext& context) {
  const DType dtype = context.attribute<DType>("dtype");
  const double value = context.attribute<double>("value");
  const bool held = dispatch(dtype, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) return true;
    // Beyond 2^53 a double no longer says which integer is meant.
    constexpr double exact = 9007199254740992.0;
    const double low = std::max(static_cast<double>(std::numeric_limits<T>::min()), -exact);
    const double high = std::min(static_cast<double>(std::numeric_limits<T>::max()), exact);
    return value >= low && value <= high && value == std::trunc(value);
  });
  if (!held) context.fail(fmt::format("the number {} is not a value of {}", value, to_string(dtype)));
  return infer_declared(context);
}

std::vector<TensorType> infer_iota(const InferContext& context) {
  if (context.attribute<DType>("dtype") == DType::boolean) context.fail("cannot count in bool");
  if (context.attribute<Shape>("shape").size() != 1) context.fail("the shape must have one axis");
  return infer_declared(context);
}

SampleArray counted(std::span<const SampleArray>) {
  return {{5}, {0, 1, 2, 3, 4}};
}

}  // namespace

namespace op {

const Op placeholder{{
    .name = "placeholder",
    .doc = "What each run is fed.",
    .kind = Kind::placeholder,
    .attributes = {{"dtype", "Of the elements.", {}}, {"shape", "May hold symbols.", {}}},
    .infer = infer_declared,
    .gradient = no_inputs,
    .onnx = "Placeholder",
}};

const Op constant{{
    .name = "constant",
    .doc = "A tensor that is part of the graph.",
    .kind = Kind::constant,
    .attributes = {{"value", "The tensor.", {}}},
    .infer = [](const InferContext& context) -> std::vector<TensorType> {
      return {context.attribute<std::shared_ptr<const Tensor>>("value")->type()};
    },
    .gradient = no_inputs,
    .onnx = "Constant",
    .samples = []() -> Samples {
      return {{.in = {},
               .attributes = {{"value", std::make_shared<const Tensor>(Tensor::from<float>({3}, {1, -2, 0.5}))}},
               .whole = [](std::span<const SampleArray>) {
                 return SampleArray{{3}, {1, -2, 0.5}};
               }}};
    },
}};

const Op fill{{
    .name = "fill",
    .doc = "`value` everywhere.",
    .kind = Kind::elementwise,
    .attributes = {{"dtype", "Of the elements.", {}}, {"shape", "May hold symbols.", {}}, {"value", "A double.", {}}},
    .infer = infer_fill,
    .gradient = no_inputs,
    .lower =
        [](loop::Body& body) { body.yield(body.constant(body.out_type().dtype, body.attribute<double>("value"))); },
    .onnx = "ConstantOfShape",
    .samples = []() -> Samples {
      return {{.in = {},
               .attributes = {{"dtype", DType::f32}, {"shape", Shape{dim("n"), 3}}, {"value", 0.25}},
               .scalar = [](std::span<const double>) { return 0.25; }},
              {.in = {},
               .attributes = {{"dtype", DType::i64}, {"shape", Shape{2}}, {"value", -7.0}},
               .scalar = [](std::span<const double>) { return -7.0; }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {},
               .attributes = {{"dtype", DType::u8}, {"shape", Shape{2}}, {"value", 256.0}},
               .error = "the number 256 is not a value of u8"}};
    },
}};

const Op iota{{
    .name = "iota",
    .doc = "0, 1, ..., n - 1.",
    .kind = Kind::elementwise,
    .attributes = {{"dtype", "Of the elements; not bool.", {}}, {"shape", "One extent: how far to count.", {}}},
    .infer = infer_iota,
    .gradient = no_inputs,
    .lower = [](loop::Body& body) { body.yield(loop::cast(body.out_type().dtype, body.axis(0))); },
    .samples = []() -> Samples {
      return {{.in = {}, .attributes = {{"dtype", DType::i64}, {"shape", Shape{5}}}, .whole = counted},
              {.in = {}, .attributes = {{"dtype", DType::f32}, {"shape", Shape{5}}}, .whole = counted},
              {.in = {}, .attributes = {{"dtype", DType::i32}, {"shape", Shape{dim("n")}}}}};
    },
    .bad_samples = []() -> BadSamples {
      return {
          {.in = {}, .attributes = {{"dtype", DType::boolean}, {"shape", Shape{5}}}, .error = "cannot count in bool"},
          {.in = {},
           .attributes = {{"dtype", DType::f32}, {"shape", Shape{5, 2}}},
           .error = "the shape must have one axis"}};
    },
}};

const Op run_seed{{
    .name = "run_seed",
    .doc = "The number that random ops of a run take their seed from; fed by the session.",
    .kind = Kind::placeholder,
    .infer = [](const InferContext&) -> std::vector<TensorType> {
      return {{DType::i64, {}}};
    },
    .gradient = no_inputs,
}};

}  // namespace op

Value placeholder(Graph& graph, std::string_view name, DType dtype, Shape shape, std::source_location where) {
  for (Dim& extent : shape) {
    if (extent.is_unknown()) extent = graph.fresh_symbol();
  }
  return graph.apply({.op = op::placeholder,
                      .attributes = {{"dtype", dtype}, {"shape", std::move(shape)}},
                      .name = std::string(name),
                      .where = where});
}

Value constant(Graph& graph, Tensor value, std::source_location where) {
  return graph.apply({.op = op::constant,
                      .attributes = {{"value", std::make_shared<const Tensor>(std::move(value))}},
                      .where = where});
}

Value fill(Graph& graph, Shape shape, double value, DType dtype, std::source_location where) {
  return graph.apply({.op = op::fill,
                      .attributes = {{"dtype", dtype}, {"shape", std::move(shape)}, {"value", value}},
                      .where = where});
}

Value zeros_like(Value x, std::source_location where) {
  return fill(x.graph(), x.shape(), 0, x.dtype(), where);
}

Value ones_like(Value x, std::source_location where) {
  return fill(x.graph(), x.shape(), 1, x.dtype(), where);
}

Value iota(Graph& graph, Dim n, DType dtype, std::source_location where) {
  return graph.apply(
      {.op = op::iota, .attributes = {{"dtype", dtype}, {"shape", Shape{std::move(n)}}}, .where = where});
}

Value one_hot(Value labels, Dim classes, DType dtype, std::source_location where) {
  if (!is_integer(labels.dtype())) {
    throw GraphError(fmt::format("one_hot ({}): labels must be integers, '{}' is {}", describe(SourceLine(where)),
                                 labels.name(), to_string(labels.type())));
  }
  const Value label = expand_dims(cast(labels, DType::i64, where), -1, where);
  return cast(lathe::equal(label, iota(labels.graph(), std::move(classes), DType::i64, where), where), dtype, where);
}

Value run_seed(Graph& graph, std::source_location where) {
  for (const NodeId id : graph.node_ids()) {
    if (graph.node(id).op == &op::run_seed) return {graph, {id, 0}};
  }
  return graph.apply({.op = op::run_seed, .where = where});
}

}  // namespace lathe
