#include <lathe/ops/compare.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/arithmetic.h>
#include <lathe/ops/rules.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

InferredTypes infer_equality(const InferContext& context) {
  require_same_dtype(context, 0, 1);
  return {{DType::boolean, context.broadcast(context.in(0).shape, context.in(1).shape)}};
}

InferredTypes infer_order(const InferContext& context) {
  require_number(context, 0);
  return infer_equality(context);
}

InferredTypes infer_logical(const InferContext& context) {
  require_bool(context, 0);
  require_bool(context, 1);
  return infer_equality(context);
}

/// What the six comparisons share. `compare` is the comparison in double precision.
OpSpec comparison(std::string name, std::string doc, loop::Expr (*build)(loop::Expr, loop::Expr),
                  double (*compare)(double, double), std::string onnx, bool of_bools) {
  const auto reference = [compare](std::span<const double> x) { return compare(x[0], x[1]); };
  // Few distinct integers, so that some are equal.
  const SampleInput integers{.dtype = DType::i32, .shape = {dim("n")}, .low = -2, .high = 2};
  const SampleInput row{.shape = {dim("n")}};
  const SampleInput column{.shape = {3, 1}};
  return {
      .name = std::move(name),
      .doc = std::move(doc),
      .kind = Kind::elementwise,
      .min_inputs = 2,
      .max_inputs = 2,
      .infer = of_bools ? infer_equality : infer_order,
      .not_differentiable = "its result is bools",
      .lower = [build](loop::Body& body) { body.yield(build(body.in(0), body.in(1))); },
      .onnx = std::move(onnx),
      .samples = [=]() -> Samples {
        return {{.in = {integers, integers}, .scalar = reference}, {.in = {row, column}, .scalar = reference}};
      },
      .bad_samples = [of_bools]() -> BadSamples {
        BadSamples bad = {
            {.in = {{DType::f32, {2}}, {DType::f64, {2}}}, .error = "dtypes differ: f32 [2] and f64 [2]"},
            {.in = {{DType::f32, {2}}, {DType::f32, {3}}}, .error = "shapes [2] and [3] do not broadcast"}};
        if (!of_bools) bad.push_back({.in = {{DType::boolean, {2}}, {DType::boolean, {2}}}, .error = "wants numbers"});
        return bad;
      },
  };
}

loop::Expr build_equal(loop::Expr a, loop::Expr b) {
  return loop::equal(a, b);
}

loop::Expr build_not_equal(loop::Expr a, loop::Expr b) {
  return loop::not_equal(a, b);
}

InferredTypes infer_select(const InferContext& context) {
  require_bool(context, 0);
  require_same_dtype(context, 1, 2);
  const Shape arms = context.broadcast(context.in(1).shape, context.in(2).shape);
  return {{context.in(1).dtype, context.broadcast(context.in(0).shape, arms)}};
}

Values select_gradient(const GradientContext& g) {
  const Value a = select(g.in(0), g.dy(), 0);
  const Value b = select(g.in(0), 0, g.dy());
  return {Value(), sum_to_shape(a, g.in(1).shape()), sum_to_shape(b, g.in(2).shape())};
}

std::optional<Value> select_known(const RewriteContext& context) {
  if (is_number(context.inputs[0], 1)) return input_if_same_type(context, 1);
  if (is_number(context.inputs[0], 0)) return input_if_same_type(context, 2);
  return std::nullopt;
}

std::optional<Value> select_same(const RewriteContext& context) {
  return context.inputs[1] == context.inputs[2] ? input_if_same_type(context, 1) : std::nullopt;
}

/// x & true, x | false: the other operand where one is `neutral`.
Rewrite neutral_bool(std::string name, bool neutral) {
  return {std::move(name), [neutral](const RewriteContext& context) -> std::optional<Value> {
            if (is_number(context.inputs[1], neutral ? 1 : 0)) return input_if_same_type(context, 0);
            if (is_number(context.inputs[0], neutral ? 1 : 0)) return input_if_same_type(context, 1);
            return std::nullopt;
          }};
}

const SampleInput bools{.dtype = DType::boolean, .shape = {dim("n")}, .low = 0, .high = 2};
const SampleInput some_bools{.dtype = DType::boolean, .shape = {3, 1}, .low = 0, .high = 2};

Value compare(const Op& op, const Operand& a, const Operand& b, const std::source_location& where) {
  const auto [x, y] = as_values(a, b, op.name, where);
  return x.graph().apply(op, {x, y}, where);
}

}  // namespace

namespace op {

const Op equal{comparison(
    "equal", "a = b.", build_equal, [](double a, double b) { return a == b ? 1.0 : 0.0; }, "Equal", true)};
const Op not_equal{comparison(
    "not_equal", "a != b.", build_not_equal, [](double a, double b) { return a != b ? 1.0 : 0.0; }, "", true)};
const Op less{comparison(
    "less", "a < b.", [](loop::Expr a, loop::Expr b) { return a < b; },
    [](double a, double b) { return a < b ? 1.0 : 0.0; }, "Less", false)};
const Op less_equal{comparison(
    "less_equal", "a <= b.", [](loop::Expr a, loop::Expr b) { return a <= b; },
    [](double a, double b) { return a <= b ? 1.0 : 0.0; }, "LessOrEqual", false)};
const Op greater{comparison(
    "greater", "a > b.", [](loop::Expr a, loop::Expr b) { return a > b; },
    [](double a, double b) { return a > b ? 1.0 : 0.0; }, "Greater", false)};
const Op greater_equal{comparison(
    "greater_equal", "a >= b.", [](loop::Expr a, loop::Expr b) { return a >= b; },
    [](double a, double b) { return a >= b ? 1.0 : 0.0; }, "GreaterOrEqual", false)};

const Op logical_and{{
    .name = "logical_and",
    .doc = "Whether both are true.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_logical,
    .not_differentiable = "its result is bools",
    .lower = [](loop::Body& body) { body.yield(body.in(0) & body.in(1)); },
    .rewrites = {neutral_bool("x and true", true)},
    .onnx = "And",
    .samples = []() -> Samples {
      return {{.in = {bools, some_bools}, .scalar = [](std::span<const double> x) { return x[0] * x[1]; }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::boolean, {2}}, {DType::f32, {2}}}, .error = "wants bools, and input 1 is f32 [2]"}};
    },
}};

const Op logical_or{{
    .name = "logical_or",
    .doc = "Whether either is true.",
    .kind = Kind::elementwise,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_logical,
    .not_differentiable = "its result is bools",
    .lower = [](loop::Body& body) { body.yield(body.in(0) | body.in(1)); },
    .rewrites = {neutral_bool("x or false", false)},
    .onnx = "Or",
    .samples = []() -> Samples {
      return {{.in = {bools, some_bools}, .scalar = [](std::span<const double> x) { return std::max(x[0], x[1]); }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::i32, {2}}, {DType::boolean, {2}}}, .error = "wants bools, and input 0 is i32 [2]"}};
    },
}};

const Op logical_not{{
    .name = "logical_not",
    .doc = "Whether it is false.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = bool_like_input,
    .not_differentiable = "its result is bools",
    .lower = [](loop::Body& body) { body.yield(~body.in(0)); },
    .rewrites = {{"not not x",
                  [](const RewriteContext& context) { return input_of(context.inputs[0], op::logical_not); }}},
    .onnx = "Not",
    .samples = []() -> Samples {
      return {{.in = {bools}, .scalar = [](std::span<const double> x) { return 1 - x[0]; }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2}}}, .error = "wants bools, and input 0 is f32 [2]"}};
    },
}};

const Op select{{
    .name = "select",
    .doc = "a where the condition holds, b elsewhere.",
    .kind = Kind::elementwise,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer_select,
    .gradient = select_gradient,
    .lower = [](loop::Body& body) { body.yield(loop::select(body.in(0), body.in(1), body.in(2))); },
    .rewrites = {{"select by a known condition", select_known}, {"select between equals", select_same}},
    .onnx = "Where",
    .samples = []() -> Samples {
      return {{.in = {bools, {.shape = {3, dim("n")}}, {.shape = {dim("n")}}},
               .scalar = [](std::span<const double> x) { return x[0] != 0 ? x[1] : x[2]; }},
              {.in = {some_bools, {.dtype = DType::i64, .shape = {1}}, {.dtype = DType::i64, .shape = {dim("n")}}},
               .scalar = [](std::span<const double> x) { return x[0] != 0 ? x[1] : x[2]; }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2}}, {DType::f32, {2}}, {DType::f32, {2}}}, .error = "wants bools"},
              {.in = {{DType::boolean, {2}}, {DType::f32, {2}}, {DType::i32, {2}}}, .error = "dtypes differ"},
              {.in = {{DType::boolean, {4}}, {DType::f32, {2}}, {DType::f32, {2}}},
               .error = "shapes [4] and [2] do not broadcast"}};
    },
}};

}  // namespace op

Value equal(Operand a, Operand b, std::source_location where) {
  return compare(op::equal, a, b, where);
}

Value not_equal(Operand a, Operand b, std::source_location where) {
  return compare(op::not_equal, a, b, where);
}

Value less(Operand a, Operand b, std::source_location where) {
  return compare(op::less, a, b, where);
}

Value less_equal(Operand a, Operand b, std::source_location where) {
  return compare(op::less_equal, a, b, where);
}

Value greater(Operand a, Operand b, std::source_location where) {
  return compare(op::greater, a, b, where);
}

Value greater_equal(Operand a, Operand b, std::source_location where) {
  return compare(op::greater_equal, a, b, where);
}

Value logical_and(Operand a, Operand b, std::source_location where) {
  return compare(op::logical_and, a, b, where);
}

Value logical_or(Operand a, Operand b, std::source_location where) {
  return compare(op::logical_or, a, b, where);
}

Value logical_not(Value a, std::source_location where) {
  return a.graph().apply(op::logical_not, {a}, where);
}

Value select(Value condition, Operand a, Operand b, std::source_location where) {
  const auto [x, y] = as_values(a, b, "select", where);
  return condition.graph().apply(op::select, {condition, x, y}, where);
}

Value clip(Value x, Operand low, Operand high, std::source_location where) {
  return minimum(maximum(x, low, where), high, where);
}

}  // namespace lathe
