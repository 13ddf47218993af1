#include <lathe/ops/cast.h>

#include <cmath>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/rules.h>

namespace lathe {
namespace {

Values cast_gradient(const GradientContext& g) {
  const DType from = g.in(0).dtype();
  if (!is_float(from)) return {Value()};
  return {cast(g.dy(), from)};
}

double same(std::span<const double> x) {
  return x[0];
}

Sample cast_sample(DType from, DType to, double low, double high, double (*reference)(double)) {
  return {.in = {{.dtype = from, .shape = {dim("n")}, .low = low, .high = high}},
          .attributes = {{"dtype", to}},
          .scalar = [reference](std::span<const double> x) { return reference(x[0]); }};
}

double unchanged(double x) {
  return x;
}

/// What float to u8 saturates to.
double saturated_u8(double x) {
  return std::trunc(std::min(std::max(x, 0.0), 255.0));
}

}  // namespace

namespace op {

const Op cast{{
    .name = "cast",
    .doc = "x in another dtype: float to integer truncates and saturates, integers wrap, to bool is x != 0.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"dtype", "Of the result.", {}}},
    .infer = [](const InferContext& context) -> InferredTypes {
      return {{context.attribute<DType>("dtype"), context.in(0).shape}};
    },
    .gradient = cast_gradient,
    .lower = [](loop::Body& body) { body.yield(loop::cast(body.out_type().dtype, body.in(0))); },
    .rewrites = {{"cast to the same dtype",
                  [](const RewriteContext& context) { return input_if_same_type(context, 0); }}},
    .shows_nonfinite = 1,
    .onnx = "Cast",
    .samples = []() -> Samples {
      return {cast_sample(DType::f32, DType::f64, -2, 2, unchanged),
              cast_sample(DType::f64, DType::f32, -2, 2, unchanged),
              cast_sample(DType::f32, DType::i32, -5, 5, [](double x) { return std::trunc(x); }),
              cast_sample(DType::f64, DType::i64, -1e6, 1e6, [](double x) { return std::trunc(x); }),
              cast_sample(DType::f32, DType::u8, -400, 400, saturated_u8),
              cast_sample(DType::u8, DType::f32, 0, 256, unchanged),
              cast_sample(DType::i64, DType::u8, -1000, 1000, [](double x) { return x - 256 * std::floor(x / 256); }),
              cast_sample(DType::i32, DType::boolean, -2, 2, [](double x) { return x != 0 ? 1.0 : 0.0; }),
              cast_sample(DType::boolean, DType::f32, 0, 2, unchanged)};
    },
}};

const Op identity{{
    .name = "identity",
    .doc = "x.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = same_as_input,
    .gradient = pass_through,
    .lower = [](loop::Body& body) { body.yield(body.in(0)); },
    .rewrites = {{"identity", [](const RewriteContext& context) { return input_if_same_type(context, 0); }}},
    .shows_nonfinite = 1,
    .onnx = "Identity",
    .samples = []() -> Samples {
      return {{.in = {{.shape = {dim("n"), 2}}}, .scalar = same}};
    },
}};

const Op stop_gradient{{
    .name = "stop_gradient",
    .doc = "x, but gradients take it for a constant.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = same_as_input,
    .gradient = no_flow,
    .lower = [](loop::Body& body) { body.yield(body.in(0)); },
    .rewrites = {{"stop_gradient", [](const RewriteContext& context) { return input_if_same_type(context, 0); }}},
    .shows_nonfinite = 1,
    .samples = []() -> Samples {
      return {{.in = {{.shape = {dim("n"), 2}, .differentiate = false}}, .scalar = same}};
    },
}};

}  // namespace op

Value cast(Value x, DType dtype, std::source_location where) {
  if (x.dtype() == dtype) return x;
  return x.graph().apply({.op = op::cast, .inputs = {x}, .attributes = {{"dtype", dtype}}, .where = where});
}

Value identity(Value x, std::string_view name, std::source_location where) {
  return x.graph().apply({.op = op::identity, .inputs = {x}, .name = std::string(name), .where = where});
}

Value stop_gradient(Value x, std::source_location where) {
  return x.graph().apply(op::stop_gradient, {x}, where);
}

}  // namespace lathe
