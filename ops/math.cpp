#include <lathe/ops/math.h>

#include <cmath>
#include <numbers>

#include <lathe/codegen/loop/body.h>
#include <lathe/codegen/loop/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/rules.h>

namespace lathe {
namespace {

Value unary(const Op& op, const Value& x, const std::source_location& where) {
  return x.graph().apply(op, {x}, where);
}

}  // namespace

namespace op {

const Op exp{{
    .name = "exp",
    .doc = "e to the power of x.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * g.y()}; },
    .lower = [](loop::Body& body) { body.yield(loop::exp(body.in(0))); },
    .onnx = "Exp",
    .samples = [] { return unary_samples([](double x) { return std::exp(x); }, -2, 2); },
    .bad_samples = float_bad_samples,
}};

const Op expm1{{
    .name = "expm1",
    .doc = "exp(x) - 1, exact near 0.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * lathe::exp(g.in(0))}; },
    .lower = [](loop::Body& body) { body.yield(loop::expm1(body.in(0))); },
    .samples = [] { return unary_samples([](double x) { return std::expm1(x); }, -2, 2); },
    .bad_samples = float_bad_samples,
}};

const Op log{{
    .name = "log",
    .doc = "The natural logarithm.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() / g.in(0)}; },
    .lower = [](loop::Body& body) { body.yield(loop::log(body.in(0))); },
    .shows_nonfinite = 1,
    .onnx = "Log",
    .samples = [] { return unary_samples([](double x) { return std::log(x); }, 0.25, 4); },
    .bad_samples = float_bad_samples,
}};

const Op log1p{{
    .name = "log1p",
    .doc = "log(1 + x), exact near 0.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() / (1 + g.in(0))}; },
    .lower = [](loop::Body& body) { body.yield(loop::log1p(body.in(0))); },
    .samples = [] { return unary_samples([](double x) { return std::log1p(x); }, -0.5, 2); },
    .bad_samples = float_bad_samples,
}};

const Op sqrt{{
    .name = "sqrt",
    .doc = "The square root, correctly rounded.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * 0.5 / g.y()}; },
    .lower = [](loop::Body& body) { body.yield(loop::sqrt(body.in(0))); },
    .shows_nonfinite = 1,
    .onnx = "Sqrt",
    .samples = [] { return unary_samples([](double x) { return std::sqrt(x); }, 0.25, 4); },
    .bad_samples = float_bad_samples,
}};

const Op rsqrt{{
    .name = "rsqrt",
    .doc = "1 / sqrt(x).",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * -0.5 * (g.y() * g.y() * g.y())}; },
    .lower = [](loop::Body& body) { body.yield(1.0 / loop::sqrt(body.in(0))); },
    .samples = [] { return unary_samples([](double x) { return 1 / std::sqrt(x); }, 0.25, 4); },
    .bad_samples = float_bad_samples,
}};

const Op sin{{
    .name = "sin",
    .doc = "The sine of x in radians.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * lathe::cos(g.in(0))}; },
    .lower = [](loop::Body& body) { body.yield(loop::sin(body.in(0))); },
    .onnx = "Sin",
    .samples = [] { return unary_samples([](double x) { return std::sin(x); }, -6, 6); },
    .bad_samples = float_bad_samples,
}};

const Op cos{{
    .name = "cos",
    .doc = "The cosine of x in radians.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {-(g.dy() * lathe::sin(g.in(0)))}; },
    .lower = [](loop::Body& body) { body.yield(loop::cos(body.in(0))); },
    .onnx = "Cos",
    .samples = [] { return unary_samples([](double x) { return std::cos(x); }, -6, 6); },
    .bad_samples = float_bad_samples,
}};

const Op tanh{{
    .name = "tanh",
    .doc = "The hyperbolic tangent.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * (1 - lathe::square(g.y()))}; },
    .lower = [](loop::Body& body) { body.yield(loop::tanh(body.in(0))); },
    .onnx = "Tanh",
    .samples = [] { return unary_samples([](double x) { return std::tanh(x); }, -3, 3); },
    .bad_samples = float_bad_samples,
}};

const Op sigmoid{{
    .name = "sigmoid",
    .doc = "1 / (1 + exp(-x)).",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * (g.y() * (1 - g.y()))}; },
    .lower = [](loop::Body& body) { body.yield(loop::sigmoid(body.in(0))); },
    .onnx = "Sigmoid",
    .samples = [] { return unary_samples([](double x) { return 1 / (1 + std::exp(-x)); }, -6, 6); },
    .bad_samples = float_bad_samples,
}};

const Op softplus{{
    .name = "softplus",
    .doc = "log(1 + exp(x)).",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * lathe::sigmoid(g.in(0))}; },
    .lower = [](loop::Body& body) { body.yield(loop::softplus(body.in(0))); },
    .onnx = "Softplus",
    .samples = [] { return unary_samples([](double x) { return std::log1p(std::exp(x)); }, -6, 6); },
    .bad_samples = float_bad_samples,
}};

const Op erf{{
    .name = "erf",
    .doc = "The error function.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values {
      return {g.dy() * (lathe::exp(-lathe::square(g.in(0))) * (2 * std::numbers::inv_sqrtpi))};
    },
    .lower = [](loop::Body& body) { body.yield(loop::erf(body.in(0))); },
    .onnx = "Erf",
    .samples = [] { return unary_samples([](double x) { return std::erf(x); }, -3, 3); },
    .bad_samples = float_bad_samples,
}};

}  // namespace op

Value exp(Value x, std::source_location where) {
  return unary(op::exp, x, where);
}

Value expm1(Value x, std::source_location where) {
  return unary(op::expm1, x, where);
}

Value log(Value x, std::source_location where) {
  return unary(op::log, x, where);
}

Value log1p(Value x, std::source_location where) {
  return unary(op::log1p, x, where);
}

Value sqrt(Value x, std::source_location where) {
  return unary(op::sqrt, x, where);
}

Value rsqrt(Value x, std::source_location where) {
  return unary(op::rsqrt, x, where);
}

Value sin(Value x, std::source_location where) {
  return unary(op::sin, x, where);
}

Value cos(Value x, std::source_location where) {
  return unary(op::cos, x, where);
}

Value tanh(Value x, std::source_location where) {
  return unary(op::tanh, x, where);
}

Value sigmoid(Value x, std::source_location where) {
  return unary(op::sigmoid, x, where);
}

Value softplus(Value x, std::source_location where) {
  return unary(op::softplus, x, where);
}

Value erf(Value x, std::source_location where) {
  return unary(op::erf, x, where);
}

}  // namespace lathe
