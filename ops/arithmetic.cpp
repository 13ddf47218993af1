#include <lathe/ops/arithmetic.h>

#include <cmath>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/codegen/loop/math.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/rules.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

InferredTypes infer_numbers(const InferContext& context) {
  require_number(context, 0);
  require_number(context, 1);
  require_same_dtype(context, 0, 1);
  return {{context.in(0).dtype, context.broadcast(context.in(0).shape, context.in(1).shape)}};
}

InferredTypes infer_division(const InferContext& context) {
  if (is_integer(context.in(0).dtype)) {
    context.fail(
        fmt::format("divides floats, and input 0 is {}: use floor_div, or cast it first", to_string(context.in(0))));
  }
  return infer_numbers(context);
}

InferredTypes infer_floats(const InferContext& context) {
  require_float(context, 0);
  return infer_numbers(context);
}

/// Gradients of both operands, summed to their shapes where they are wanted.
Values to_operands(const GradientContext& g, const Value& da, const Value& db) {
  return {g.wants(0) ? sum_to_shape(da, g.in(0).shape()) : Value(),
          g.wants(1) ? sum_to_shape(db, g.in(1).shape()) : Value()};
}

Values pow_gradient(const GradientContext& g) {
  const Value a = g.in(0);
  const Value b = g.in(1);
  const Value exponent = select(equal(a, 0) & equal(b, 0), 1, b - 1);  // so that 0 * 0^-1 is 0
  const Value da = g.dy() * b * pow(a, exponent);
  const Value positive = a > 0;
  // The logarithm of 1 where there is none: its own gradient must not be NaN either.
  const Value logarithm = select(positive, log(select(positive, a, 1)), 0);
  return to_operands(g, da, g.dy() * g.y() * logarithm);
}

/// The whole gradient to `a` where `chosen` holds, to b elsewhere.
Values chosen_gradient(const GradientContext& g, const Value& chosen) {
  return to_operands(g, select(chosen, g.dy(), 0), select(chosen, 0, g.dy()));
}

/// The samples of a binary op: f32 and broadcast, f64, and, if it takes them, integers. b lies in [low, high).
std::vector<Sample> binary_samples(double (*reference)(double, double), bool integers, SampleInput a, SampleInput b) {
  const auto element = [reference](std::span<const double> x) { return reference(x[0], x[1]); };
  const auto shaped = [](SampleInput input, DType dtype, Shape shape) {
    input.dtype = dtype;
    input.shape = std::move(shape);
    return input;
  };
  std::vector<Sample> samples = {
      {.in = {shaped(a, DType::f32, {dim("n")}), shaped(b, DType::f32, {dim("n")})}, .scalar = element},
      {.in = {shaped(a, DType::f32, {3, dim("n")}), shaped(b, DType::f32, {3, 1})}, .scalar = element},
      {.in = {shaped(a, DType::f64, {1}), shaped(b, DType::f64, {2, dim("n")})}, .scalar = element},
  };
  if (integers) {
    samples.push_back({.in = {shaped({.low = -20, .high = 20}, DType::i32, {dim("n")}),
                              shaped({.low = 1, .high = 9}, DType::i32, {dim("n")})},
                       .scalar = element});
    samples.push_back({.in = {shaped({.low = -20, .high = 20}, DType::i64, {dim("n"), 2}),
                              shaped({.low = -9, .high = -1}, DType::i64, {2})},
                       .scalar = element});
  }
  return samples;
}

std::vector<BadSample> binary_bad_samples() {
  return {{.in = {{DType::f32, {2, 3}}, {DType::f32, {2}}}, .error = "shapes [2, 3] and [2] do not broadcast"},
          {.in = {{DType::f32, {2}}, {DType::f64, {2}}},
           .error = "dtypes differ: f32 [2] and f64 [2]; cast one of them, nothing is cast implicitly"},
          {.in = {{DType::f32, {2}}}, .error = "takes 2 inputs, 1 given"}};
}

/// The operand beside the one that changes nothing. Where both orders are given, on either side.
Rewrite neutral(std::string name, double number, bool either_side) {
  return {std::move(name), [number, either_side](const RewriteContext& context) -> std::optional<Value> {
            if (is_number(context.inputs[1], number)) return input_if_same_type(context, 0);
            if (either_side && is_number(context.inputs[0], number)) return input_if_same_type(context, 1);
            return std::nullopt;
          }};
}

/// x + 0 turns -0 into 0, but -0 is neutral, and 0 is among integers.
std::optional<Value> add_zero(const RewriteContext& context) {
  const double zero = is_float(context.outputs[0].dtype) ? -0.0 : 0.0;
  if (is_number(context.inputs[1], zero)) return input_if_same_type(context, 0);
  if (is_number(context.inputs[0], zero)) return input_if_same_type(context, 1);
  return std::nullopt;
}

Value binary(const Op& op, const Operand& a, const Operand& b, const std::source_location& where) {
  const auto [x, y] = as_values(a, b, op.name, where);
  return x.graph().apply(op, {x, y}, where);
}

}  // namespace

namespace op {

const Op add{{
    .name = "add",
    .doc = "a + b.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_numbers,
    .gradient = [](const GradientContext& g) { return to_operands(g, g.dy(), g.dy()); },
    .lower = [](loop::Body& body) { body.yield(body.in(0) + body.in(1)); },
    .rewrites = {{"x + -0", add_zero}},
    .shows_nonfinite = 2,
    .onnx = "Add",
    .samples = [] { return binary_samples([](double a, double b) { return a + b; }, true, {}, {}); },
    .bad_samples = binary_bad_samples,
}};

const Op sub{{
    .name = "sub",
    .doc = "a - b.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_numbers,
    .gradient = [](const GradientContext& g) { return to_operands(g, g.dy(), g.wants(1) ? -g.dy() : Value()); },
    .lower = [](loop::Body& body) { body.yield(body.in(0) - body.in(1)); },
    .rewrites = {neutral("x - 0", 0, false)},
    .shows_nonfinite = 2,
    .onnx = "Sub",
    .samples = [] { return binary_samples([](double a, double b) { return a - b; }, true, {}, {}); },
    .bad_samples = binary_bad_samples,
}};

const Op mul{{
    .name = "mul",
    .doc = "a * b.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_numbers,
    .gradient =
        [](const GradientContext& g) {
          return to_operands(g, g.wants(0) ? g.dy() * g.in(1) : Value(), g.wants(1) ? g.dy() * g.in(0) : Value());
        },
    .lower = [](loop::Body& body) { body.yield(body.in(0) * body.in(1)); },
    .rewrites = {neutral("x * 1", 1, true)},
    .shows_nonfinite = 2,
    .onnx = "Mul",
    .samples = [] { return binary_samples([](double a, double b) { return a * b; }, true, {}, {}); },
    .bad_samples = binary_bad_samples,
}};

const Op div{{
    .name = "div",
    .doc = "a / b of floats.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_division,
    .gradient =
        [](const GradientContext& g) {
          const Value da = g.dy() / g.in(1);
          return to_operands(g, da, g.wants(1) ? -(da * g.y()) : Value());
        },
    .lower = [](loop::Body& body) { body.yield(body.in(0) / body.in(1)); },
    .rewrites = {neutral("x / 1", 1, false)},
    .shows_nonfinite = 1,
    .onnx = "Div",
    .samples =
        [] { return binary_samples([](double a, double b) { return a / b; }, false, {}, {.low = 0.5, .high = 3}); },
    .bad_samples = []() -> BadSamples {
      return {
          {.in = {{DType::i32, {2}}, {DType::i32, {2}}},
           .error = "divides floats, and input 0 is i32 [2]: use floor_div, or cast it first"},
          {.in = {{DType::f32, {2, 3}}, {DType::f32, {4, 3}}}, .error = "shapes [2, 3] and [4, 3] do not broadcast"}};
    },
}};

const Op pow{{
    .name = "pow",
    .doc = "a to the power of b, of floats.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_floats,
    .gradient = pow_gradient,
    .lower = [](loop::Body& body) { body.yield(loop::pow(body.in(0), body.in(1))); },
    .rewrites = {neutral("x ^ 1", 1, false)},
    .onnx = "Pow",
    .samples =
        [] {
          return binary_samples([](double a, double b) { return std::pow(a, b); }, false, {.low = 0.5, .high = 3}, {});
        },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::i32, {2}}, {DType::i32, {2}}}, .error = "wants f32 or f64"}};
    },
}};

const Op maximum{{
    .name = "maximum",
    .doc = "The larger one; NaN if either is.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_numbers,
    .gradient = [](const GradientContext& g) { return chosen_gradient(g, g.in(0) >= g.in(1)); },
    .lower = [](loop::Body& body) { body.yield(loop::max(body.in(0), body.in(1))); },
    .onnx = "Max",
    .samples = [] { return binary_samples([](double a, double b) { return std::max(a, b); }, true, {}, {}); },
    .bad_samples = binary_bad_samples,
}};

const Op minimum{{
    .name = "minimum",
    .doc = "The smaller one; NaN if either is.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_numbers,
    .gradient = [](const GradientContext& g) { return chosen_gradient(g, g.in(0) <= g.in(1)); },
    .lower = [](loop::Body& body) { body.yield(loop::min(body.in(0), body.in(1))); },
    .onnx = "Min",
    .samples = [] { return binary_samples([](double a, double b) { return std::min(a, b); }, true, {}, {}); },
    .bad_samples = binary_bad_samples,
}};

const Op floor_div{{
    .name = "floor_div",
    .doc = "The floor of a / b.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_numbers,
    .gradient = no_flow,
    .lower = [](loop::Body& body) { body.yield(loop::floor_div(body.in(0), body.in(1))); },
    .rewrites = {},
    .samples =
        [] {
          return binary_samples([](double a, double b) { return std::floor(a / b); }, true, {},
                                {.low = 0.5, .high = 3});
        },
    .bad_samples = binary_bad_samples,
}};

const Op mod{{
    .name = "mod",
    .doc = "a - b * floor(a / b).",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_numbers,
    .gradient =
        [](const GradientContext& g) { return to_operands(g, g.dy(), -(g.dy() * lathe::floor_div(g.in(0), g.in(1)))); },
    .lower = [](loop::Body& body) { body.yield(loop::mod(body.in(0), body.in(1))); },
    .onnx = "Mod",
    .samples =
        [] {
          return binary_samples([](double a, double b) { return a - b * std::floor(a / b); }, true, {},
                                {.low = 0.5, .high = 3});
        },
    .bad_samples = binary_bad_samples,
}};

}  // namespace op

Value add(Operand a, Operand b, std::source_location where) {
  return binary(op::add, a, b, where);
}

Value sub(Operand a, Operand b, std::source_location where) {
  return binary(op::sub, a, b, where);
}

Value mul(Operand a, Operand b, std::source_location where) {
  return binary(op::mul, a, b, where);
}

Value div(Operand a, Operand b, std::source_location where) {
  return binary(op::div, a, b, where);
}

Value pow(Operand a, Operand b, std::source_location where) {
  return binary(op::pow, a, b, where);
}

Value maximum(Operand a, Operand b, std::source_location where) {
  return binary(op::maximum, a, b, where);
}

Value minimum(Operand a, Operand b, std::source_location where) {
  return binary(op::minimum, a, b, where);
}

Value floor_div(Operand a, Operand b, std::source_location where) {
  return binary(op::floor_div, a, b, where);
}

Value mod(Operand a, Operand b, std::source_location where) {
  return binary(op::mod, a, b, where);
}

Value sum_to_shape(Value x, const Shape& shape, std::source_location where) {
  const Shape from = x.shape();
  const Shape to = x.graph().resolve(shape);
  if (from == to) return x;
  ensure(from.size() >= to.size(), "a shape broadcasts to one of lower rank");
  const std::size_t offset = from.size() - to.size();
  std::vector<std::int64_t> axes;
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    const bool stretched = axis < offset || (to[axis - offset] == Dim(1) && from[axis] != Dim(1));
    if (stretched) axes.push_back(static_cast<std::int64_t>(axis));
  }
  // Axes that are gone altogether need no reshape, which would stand between the sum and what uses it.
  if (axes.size() == offset) return sum(x, axes, false, where);
  const Value summed = sum(x, axes, true, where);
  return offset == 0 ? summed : reshape(summed, to, where);
}

}  // namespace lathe
