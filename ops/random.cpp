#include <lathe/ops/random.h>

#include <numbers>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/codegen/loop/math.h>
#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/rules.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

InferredTypes infer_random(const InferContext& context) {
  if (context.in(0) != TensorType{DType::i64, {}}) {
    context.fail(fmt::format("the seed must be a scalar of i64, it is {}", to_string(context.in(0))));
  }
  const DType dtype = context.attribute<DType>("dtype");
  if (!is_float(dtype)) context.fail(fmt::format("makes f32 or f64, not {}", to_string(dtype)));
  return {{dtype, context.attribute<Shape>("shape")}};
}

/// The op's attributes; those of the distribution follow what all have.
std::vector<AttributeSpec> random_attributes(std::vector<AttributeSpec> distribution) {
  distribution.insert(distribution.begin(), {{"dtype", "f32 or f64.", {}},
                                             {"shape", "May hold symbols.", {}},
                                             {"stream", "Tells random nodes of one seed apart.", {}}});
  return distribution;
}

/// Uniform number `which` (0 or 1) of this element: a multiple of 2^-24 or 2^-53 in [0, 1).
loop::Expr uniform(loop::Body& body, int which) {
  const loop::Expr stream = body.extent(body.attribute<std::int64_t>("stream"));
  const auto word = [&](int number) { return loop::philox(body.in(0), stream, body.flat_index(), number); };
  if (body.out_type().dtype == DType::f32) {
    // Through i32, from which vectors convert everywhere.
    return loop::cast(DType::f32, loop::cast(DType::i32, word(which) >> 8)) * 0x1p-24;
  }
  return loop::cast(DType::f64, (word(2 * which) << 21) | (word(2 * which + 1) >> 11)) * 0x1p-53;
}

void lower_uniform(loop::Body& body) {
  const double low = body.attribute<double>("low");
  const double high = body.attribute<double>("high");
  const loop::Expr u = uniform(body, 0);
  const loop::Expr first = loop::constant_like(u, low);
  const loop::Expr scaled = u * (high - low) + first;
  body.yield(loop::select(scaled < high, scaled, first));
}

loop::Expr scaled_to_distribution(loop::Body& body, loop::Expr standard) {
  return standard * body.attribute<double>("deviation") + body.attribute<double>("mean");
}

void lower_normal(loop::Body& body) {
  const loop::Expr radius = loop::sqrt(loop::log(1.0 - uniform(body, 0)) * -2.0);
  const loop::Expr angle = uniform(body, 1) * (2 * std::numbers::pi);
  body.yield(scaled_to_distribution(body, radius * loop::cos(angle)));
}

/// Giles's approximation for |x| < 0.9966, one step of Newton's method closer for f64.
loop::Expr inverse_erf(loop::Expr x) {
  constexpr double coefficients[] = {2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                                     -0.00125372503, -0.00417768164, 0.246640727,    1.50140941};
  const loop::Expr w = -loop::log((1.0 - x) * (1.0 + x)) - 2.5;
  loop::Expr polynomial = loop::constant_like(x, coefficients[0]);
  for (std::size_t i = 1; i < std::size(coefficients); ++i) {
    polynomial = loop::fma(polynomial, w, loop::constant_like(x, coefficients[i]));
  }
  const loop::Expr y = polynomial * x;
  if (x.dtype() == DType::f32) return y;
  const loop::Expr slope = loop::exp(-(y * y)) * (2 * std::numbers::inv_sqrtpi);
  return y - (loop::erf(y) - x) / slope;
}

void lower_truncated_normal(loop::Body& body) {
  // The distribution function, brought from [0, 1] to [-1, 1], is erf(z / sqrt(2)); erf(sqrt(2)) is its value at z = 2.
  constexpr double at_two = 0.95449973610364158;
  const loop::Expr z = inverse_erf(uniform(body, 0) * (2 * at_two) - at_two) * std::numbers::sqrt2;
  const loop::Expr two = loop::constant_like(z, 2);
  body.yield(scaled_to_distribution(body, loop::max(loop::min(z, two), -two)));
}

/// Samples without a reference: engines must agree; tests/ops/random_test.cpp looks at the distributions.
std::vector<Sample> random_samples(const Attributes& distribution) {
  std::vector<Sample> samples;
  for (const DType dtype : {DType::f32, DType::f64}) {
    Attributes attributes = distribution;
    attributes.set("dtype", dtype);
    attributes.set("shape", Shape{dim("n"), 3});
    attributes.set("stream", std::int64_t{7});
    samples.push_back({.in = {{.dtype = DType::i64, .values = {123456789}}}, .attributes = attributes});
  }
  return samples;
}

std::vector<BadSample> random_bad_samples(Attributes attributes) {
  attributes.set("shape", Shape{2});
  attributes.set("stream", std::int64_t{0});
  attributes.set("dtype", DType::i32);
  Attributes good = attributes;
  good.set("dtype", DType::f32);
  return {{.in = {{DType::i64, {}}}, .attributes = attributes, .error = "makes f32 or f64, not i32"},
          {.in = {{DType::f32, {}}}, .attributes = good, .error = "the seed must be a scalar of i64, it is f32 []"},
          {.in = {{DType::i64, {2}}}, .attributes = good, .error = "the seed must be a scalar of i64, it is i64 [2]"}};
}

const Attributes unit_interval = {{"low", 0.0}, {"high", 1.0}};
const Attributes standard_normal = {{"mean", 0.0}, {"deviation", 1.0}};

/// A node of `op` with its own stream.
Value random(const Op& op, Graph& graph, Shape shape, Attributes distribution, const RandomOptions& options,
             const std::source_location& where) {
  const Value seed = options.seed.empty() ? run_seed(graph, where) : options.seed;
  distribution.set("dtype", options.dtype);
  distribution.set("shape", std::move(shape));
  distribution.set("stream", graph.next_stream());
  return graph.apply({.op = op, .inputs = {seed}, .attributes = std::move(distribution), .where = where});
}

}  // namespace

namespace op {

const Op random_uniform{{
    .name = "random_uniform",
    .doc = "Uniform in [low, high).",
    .kind = Kind::random,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = random_attributes({{"low", "The smallest number.", 0.0}, {"high", "Above all numbers.", 1.0}}),
    .infer = infer_random,
    .gradient = no_flow,
    .lower = lower_uniform,
    .samples =
        [] {
          return random_samples({{"low", -1.0}, {"high", 2.5}});
        },
    .bad_samples = [] { return random_bad_samples(unit_interval); },
}};

const Op random_normal{{
    .name = "random_normal",
    .doc = "Normal, by Box and Muller's transform.",
    .kind = Kind::random,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = random_attributes({{"mean", "Of the distribution.", 0.0}, {"deviation", "Standard.", 1.0}}),
    .infer = infer_random,
    .gradient = no_flow,
    .lower = lower_normal,
    .samples =
        [] {
          return random_samples({{"mean", 0.5}, {"deviation", 2.0}});
        },
    .bad_samples = [] { return random_bad_samples(standard_normal); },
}};

const Op random_truncated_normal{{
    .name = "random_truncated_normal",
    .doc = "Normal, at most two standard deviations away from the mean.",
    .kind = Kind::random,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = random_attributes({{"mean", "Of the distribution.", 0.0}, {"deviation", "Standard.", 1.0}}),
    .infer = infer_random,
    .gradient = no_flow,
    .lower = lower_truncated_normal,
    .samples =
        [] {
          return random_samples({{"mean", 0.5}, {"deviation", 2.0}});
        },
    .bad_samples = [] { return random_bad_samples(standard_normal); },
}};

}  // namespace op

Value random_uniform(Graph& graph, Shape shape, double low, double high, RandomOptions options,
                     std::source_location where) {
  return random(op::random_uniform, graph, std::move(shape), {{"low", low}, {"high", high}}, options, where);
}

Value random_normal(Graph& graph, Shape shape, double mean, double deviation, RandomOptions options,
                    std::source_location where) {
  return random(op::random_normal, graph, std::move(shape), {{"mean", mean}, {"deviation", deviation}}, options, where);
}

Value random_truncated_normal(Graph& graph, Shape shape, double mean, double deviation, RandomOptions options,
                              std::source_location where) {
  return random(op::random_truncated_normal, graph, std::move(shape), {{"mean", mean}, {"deviation", deviation}},
                options, where);
}

Value bernoulli(Graph& graph, Shape shape, Operand p, RandomOptions options, std::source_location where) {
  const DType wanted = options.dtype;
  options.dtype = p.value() ? p.value()->dtype() : is_float(wanted) ? wanted : DType::f32;
  const Value u = random_uniform(graph, std::move(shape), 0, 1, options, where);
  return cast(less(u, p, where), wanted, where);
}

Value dropout(Value x, double rate, bool training, std::source_location where) {
  if (!(rate >= 0 && rate < 1)) {
    throw GraphError(fmt::format("dropout ({}): the rate {} is outside [0, 1)", describe(SourceLine(where)), rate));
  }
  if (!training || rate == 0) return x;
  const Value u = random_uniform(x.graph(), x.shape(), 0, 1, {.dtype = x.dtype()}, where);
  return select(greater_equal(u, rate, where), mul(x, 1 / (1 - rate), where), 0, where);
}

}  // namespace lathe
