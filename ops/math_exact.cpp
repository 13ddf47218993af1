// The functions of math.h that round at most once, and the tests for numbers that are none.
#include <cmath>
#include <limits>

#include <lathe/codegen/loop/body.h>
#include <lathe/codegen/loop/math.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/math.h>
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
  return x.graph().apply(op, {x}, where);
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
    .shows_nonfinite = 1,
    .onnx = "Neg",
    .samples = [] { return with_integers(unary_samples([](double x) { return -x; }, -2, 2)); },
    .bad_samples = [] { return number_bad_samples(); },
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
    .shows_nonfinite = 1,
    .onnx = "Abs",
    .samples = [] { return with_integers(unary_samples([](double x) { return std::abs(x); }, -2, 2)); },
    .bad_samples = [] { return number_bad_samples(); },
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
    .samples = [] { return with_integers(unary_samples(reference_sign, -2, 2)); },
    .bad_samples = [] { return number_bad_samples(); },
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
    .shows_nonfinite = 1,
    .samples = [] { return with_integers(unary_samples([](double x) { return x * x; }, -2, 2)); },
    .bad_samples = [] { return number_bad_samples(); },
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
    .samples = [] { return unary_samples([](double x) { return 1 / x; }, 0.5, 4); },
    .bad_samples = float_bad_samples,
}};

const Op relu{{
    .name = "relu",
    .doc = "max(x, 0); NaN stays NaN.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = number_like_input,
    .gradient = [](const GradientContext& g) -> Values { return {lathe::select(g.y() > 0, g.dy(), 0)}; },
    .lower = [](loop::Body& body) { body.yield(loop::max(body.constant(body.out_type().dtype, 0), body.in(0))); },
    .rewrites = {{"relu(relu(x))", keep_input<op::relu>}},
    .onnx = "Relu",
    .samples = [] { return with_integers(unary_samples([](double x) { return std::max(x, 0.0); }, -2, 2)); },
    .bad_samples = [] { return number_bad_samples(); },
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
    .samples = [] { return unary_samples([](double x) { return std::floor(x); }, -4, 4); },
    .bad_samples = float_bad_samples,
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
    .samples = [] { return unary_samples([](double x) { return std::ceil(x); }, -4, 4); },
    .bad_samples = float_bad_samples,
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
    .samples = [] { return unary_samples([](double x) { return std::nearbyint(x); }, -4, 4); },
    .bad_samples = float_bad_samples,
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
    .samples = [] { return test_samples([](double x) { return std::isnan(x) ? 1.0 : 0.0; }); },
    .bad_samples = float_bad_samples,
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
    .samples = [] { return test_samples([](double x) { return std::isfinite(x) ? 1.0 : 0.0; }); },
    .bad_samples = float_bad_samples,
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

Value square(Value x, std::source_location where) {
  return unary(op::square, x, where);
}

Value reciprocal(Value x, std::source_location where) {
  return unary(op::reciprocal, x, where);
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
