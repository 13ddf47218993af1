#include <lathe/ops/math.h>

#include <cmath>
#include <limits>
#include <numbers>

#include <lathe/codegen/loop/body.h>
#include <lathe/codegen/loop/math.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/rules.h>

namespace lathe {
namespace {

InferredTypes test_of_float(const InferContext& context) {
  require_float(context, 0);
  return {{DType::boolean, context.in(0).shape}};
}

double reference_sign(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : x;
}

/// x itself where it is neither positive nor negative: then it is 0, -0 or NaN.
loop::Expr lower_sign(loop::Expr x) {
  const loop::Expr one = loop::constant_like(x, 1);
  // Nothing unsigned is below 0, and -1 is not one of its values.
  if (x.dtype() == DType::u8) return loop::select(x > 0, one, x);
  return loop::select(x > 0, one, loop::select(x < 0, loop::constant_like(x, -1), x));
}

/// The samples, and the same function of i32 and i64.
std::vector<Sample> with_integers(std::vector<Sample> samples) {
  const auto reference = samples[0].scalar;
  samples.push_back({.in = {{.dtype = DType::i32, .shape = {dim("n")}, .low = -9, .high = 9}}, .scalar = reference});
  samples.push_back({.in = {{.dtype = DType::i64, .shape = {dim("n")}, .low = -9, .high = 9}}, .scalar = reference});
  return samples;
}

std::vector<BadSample> number_bad_samples() {
  return {{.in = {{DType::boolean, {2}}}, .error = "wants numbers, and input 0 is bool [2]: cast it first"}};
}

/// Samples of an op that tells numbers apart: also the numbers that are none.
std::vector<Sample> test_samples(double (*reference)(double)) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> values = {1, std::nan(""), -infinity, 0, infinity, -2};
  const auto element = [reference](std::span<const double> x) { return reference(x[0]); };
  return {{.in = {{.dtype = DType::f32, .shape = {6}, .values = values}}, .scalar = element},
          {.in = {{.dtype = DType::f64, .shape = {6}, .values = values}}, .scalar = element},
          {.in = {{.dtype = DType::f32, .shape = {dim("n")}}}, .scalar = element}};
}

/// f(f(x)) = f(x).
template <const Op& op>
std::optional<Value> keep_input(const RewriteContext& context) {
  if (context.inputs[0].node().op != &op) return std::nullopt;
  return context.inputs[0];
}

Value unary(const Op& op, const Value& x, const std::source_location& where) {
  return x.graph().apply({.op = op, .inputs = {x}, .where = where});
}

}  // namespace

namespace op {

const Op neg{{
    .name = "neg",
    .doc = "-x.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = number_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {-g.dy()}; },
    .lower = [](loop::Body& body) { body.yield(-body.in(0)); },
    .rewrites = {{"neg(neg(x))", [](const RewriteContext& context) { return input_of(context.inputs[0], op::neg); }}},
    .onnx = "Neg",
    .samples = with_integers(unary_samples([](double x) { return -x; }, -2, 2)),
    .bad_samples = number_bad_samples(),
}};

const Op abs{{
    .name = "abs",
    .doc = "|x|.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = number_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * lathe::sign(g.in(0))}; },
    .lower = [](loop::Body& body) { body.yield(loop::abs(body.in(0))); },
    .onnx = "Abs",
    .samples = with_integers(unary_samples([](double x) { return std::abs(x); }, -2, 2)),
    .bad_samples = number_bad_samples(),
}};

const Op sign{{
    .name = "sign",
    .doc = "-1, 0 or 1; NaN stays NaN.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = number_like_input,
    .gradient = no_flow,
    .lower = [](loop::Body& body) { body.yield(lower_sign(body.in(0))); },
    .onnx = "Sign",
    .samples = with_integers(unary_samples(reference_sign, -2, 2)),
    .bad_samples = number_bad_samples(),
}};

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
    .samples = unary_samples([](double x) { return std::exp(x); }, -2, 2),
    .bad_samples = float_bad_samples(),
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
    .samples = unary_samples([](double x) { return std::expm1(x); }, -2, 2),
    .bad_samples = float_bad_samples(),
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
    .onnx = "Log",
    .samples = unary_samples([](double x) { return std::log(x); }, 0.25, 4),
    .bad_samples = float_bad_samples(),
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
    .samples = unary_samples([](double x) { return std::log1p(x); }, -0.5, 2),
    .bad_samples = float_bad_samples(),
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
    .onnx = "Sqrt",
    .samples = unary_samples([](double x) { return std::sqrt(x); }, 0.25, 4),
    .bad_samples = float_bad_samples(),
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
    .samples = unary_samples([](double x) { return 1 / std::sqrt(x); }, 0.25, 4),
    .bad_samples = float_bad_samples(),
}};

const Op square{{
    .name = "square",
    .doc = "x * x.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = number_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * 2 * g.in(0)}; },
    .lower = [](loop::Body& body) { body.yield(body.in(0) * body.in(0)); },
    .samples = with_integers(unary_samples([](double x) { return x * x; }, -2, 2)),
    .bad_samples = number_bad_samples(),
}};

const Op reciprocal{{
    .name = "reciprocal",
    .doc = "1 / x.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {-(g.dy() * lathe::square(g.y()))}; },
    .lower = [](loop::Body& body) { body.yield(1.0 / body.in(0)); },
    .onnx = "Reciprocal",
    .samples = unary_samples([](double x) { return 1 / x; }, 0.5, 4),
    .bad_samples = float_bad_samples(),
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
    .samples = unary_samples([](double x) { return std::sin(x); }, -6, 6),
    .bad_samples = float_bad_samples(),
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
    .samples = unary_samples([](double x) { return std::cos(x); }, -6, 6),
    .bad_samples = float_bad_samples(),
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
    .samples = unary_samples([](double x) { return std::tanh(x); }, -3, 3),
    .bad_samples = float_bad_samples(),
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
    .samples = unary_samples([](double x) { return 1 / (1 + std::exp(-x)); }, -6, 6),
    .bad_samples = float_bad_samples(),
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
    .samples = unary_samples([](double x) { return std::log1p(std::exp(x)); }, -6, 6),
    .bad_samples = float_bad_samples(),
}};

const Op erf{{
    .name = "erf",
    .doc = "The error function.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {g.dy() * (lathe::exp(-lathe::square(g.in(0))) * (2 * std::numbers::inv_sqrtpi))}; },
    .lower = [](loop::Body& body) { body.yield(loop::erf(body.in(0))); },
    .onnx = "Erf",
    .samples = unary_samples([](double x) { return std::erf(x); }, -3, 3),
    .bad_samples = float_bad_samples(),
}};

const Op relu{{
    .name = "relu",
    .doc = "max(x, 0); NaN stays NaN.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = number_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {lathe::select(g.y() > 0, g.dy(), 0)}; },
    .lower = [](loop::Body& body) { body.yield(loop::max(body.in(0), body.constant(body.out_type().dtype, 0))); },
    .rewrites = {{"relu(relu(x))", keep_input<op::relu>}},
    .onnx = "Relu",
    .samples = with_integers(unary_samples([](double x) { return std::max(x, 0.0); }, -2, 2)),
    .bad_samples = number_bad_samples(),
}};

const Op floor{{
    .name = "floor",
    .doc = "The next integer towards minus infinity.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = no_flow,
    .lower = [](loop::Body& body) { body.yield(loop::floor(body.in(0))); },
    .rewrites = {{"floor(floor(x))", keep_input<op::floor>}},
    .onnx = "Floor",
    .samples = unary_samples([](double x) { return std::floor(x); }, -4, 4),
    .bad_samples = float_bad_samples(),
}};

const Op ceil{{
    .name = "ceil",
    .doc = "The next integer towards infinity.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = no_flow,
    .lower = [](loop::Body& body) { body.yield(loop::ceil(body.in(0))); },
    .rewrites = {{"ceil(ceil(x))", keep_input<op::ceil>}},
    .onnx = "Ceil",
    .samples = unary_samples([](double x) { return std::ceil(x); }, -4, 4),
    .bad_samples = float_bad_samples(),
}};

const Op round{{
    .name = "round",
    .doc = "The nearest integer, the even one of two that are equally near.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = float_like_input,
    .gradient = no_flow,
    .lower = [](loop::Body& body) { body.yield(loop::round(body.in(0))); },
    .rewrites = {{"round(round(x))", keep_input<op::round>}},
    .onnx = "Round",
    .samples = unary_samples([](double x) { return std::nearbyint(x); }, -4, 4),
    .bad_samples = float_bad_samples(),
}};

const Op isnan{{
    .name = "isnan",
    .doc = "Whether x is NaN.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = test_of_float,
    .not_differentiable = "its result is bools",
    .lower = [](loop::Body& body) { body.yield(loop::is_nan(body.in(0))); },
    .onnx = "IsNaN",
    .samples = test_samples([](double x) { return std::isnan(x) ? 1.0 : 0.0; }),
    .bad_samples = float_bad_samples(),
}};

const Op isfinite{{
    .name = "isfinite",
    .doc = "Whether x is neither NaN nor infinite.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = test_of_float,
    .not_differentiable = "its result is bools",
    .lower = [](loop::Body& body) { body.yield(loop::is_finite(body.in(0))); },
    .samples = test_samples([](double x) { return std::isfinite(x) ? 1.0 : 0.0; }),
    .bad_samples = float_bad_samples(),
}};

}  // namespace op

Value neg(Value x, std::source_location where) {
  return unary(op::neg, x, where);
}

Value abs(Value x, std::source_location where) {
  return unary(op::abs, x, where);
}

Value sign(Value x, std::source_location where) {
  return unary(op::sign, x, where);
}

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

Value square(Value x, std::source_location where) {
  return unary(op::square, x, where);
}

Value reciprocal(Value x, std::source_location where) {
  return unary(op::reciprocal, x, where);
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

Value relu(Value x, std::source_location where) {
  return unary(op::relu, x, where);
}

Value floor(Value x, std::source_location where) {
  return unary(op::floor, x, where);
}

Value ceil(Value x, std::source_location where) {
  return unary(op::ceil, x, where);
}

Value round(Value x, std::source_location where) {
  return unary(op::round, x, where);
}

Value isnan(Value x, std::source_location where) {
  return unary(op::isnan, x, where);
}

Value isfinite(Value x, std::source_location where) {
  return unary(op::isfinite, x, where);
}

}  // namespace lathe
