#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include <doctest/doctest.h>

#include "program_builder.h"

#include <lathe/codegen/loop/math.h>

using namespace lathe;
using namespace lathe::loop;

namespace {

using Build = std::function<Expr(Expr, Expr)>;

/// Evaluates `build` at pairs of arguments through the interpreter.
template <Element T, Element To = T>
std::vector<To> evaluate(const Build& build, const std::vector<T>& x, const std::vector<T>& y) {
  test::ProgramBuilder b;
  const auto n = static_cast<std::int64_t>(x.size());
  const TensorId left = b.input("x", {*dtype_of<T>, {n}});
  const TensorId right = b.input("y", {*dtype_of<T>, {n}});
  const TensorId out = b.output("out", {*dtype_of<To>, {n}});
  const AxisId i = b.pool().make_axis(n, "i");
  const Expr at = b.index(i);
  Kernel kernel = test::kernel("function", {i});
  kernel.stages.push_back({{}, {b.store(build(b.load(left, {at}), b.load(right, {at})), out, {at})}});
  b.program.steps.emplace_back(kernel);
  const auto result = b.run({Tensor::from<T>({n}, std::span(x)), Tensor::from<T>({n}, std::span(y))});
  const auto values = result.outputs[0].template data<To>();
  return {values.begin(), values.end()};
}

/// Values of all exponents and signs, all specials, and neighbours of where algorithms change.
template <class T>
std::vector<T> samples(std::size_t count) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  using Limits = std::numeric_limits<T>;
  std::vector<T> out{T(0),
                     T(-0.0),
                     Limits::infinity(),
                     -Limits::infinity(),
                     Limits::quiet_NaN(),
                     Limits::max(),
                     -Limits::max(),
                     Limits::min(),
                     -Limits::min(),
                     Limits::denorm_min(),
                     T(1),
                     T(-1),
                     T(0.5),
                     T(2),
                     T(-0.5),
                     std::bit_cast<T>(static_cast<Bits>(~Bits{0}))};
  for (const double edge : {0.625, 0.9, 0.92, 0.34657359, 0.70710678, 1.41421356, 3.93, 5.95, 87.33654, 88.72283, 20.0,
                            708.3964185322641, 709.782712893384, 0.78539816, 1.57079633, 3.14159265, 44.0}) {
    T x = static_cast<T>(edge);
    for (int step = 0; step < 4; ++step) x = std::nextafter(x, T(0));
    for (int step = 0; step < 9; ++step, x = std::nextafter(x, Limits::infinity())) {
      out.push_back(x);
      out.push_back(-x);
    }
  }
  std::mt19937_64 engine(7);
  while (out.size() < count) {
    out.push_back(std::bit_cast<T>(static_cast<Bits>(engine())));
    const double scale = std::exp2(static_cast<double>(engine() % 12) - 4);
    out.push_back(static_cast<T>(std::uniform_real_distribution<double>(-scale, scale)(engine)));
  }
  return out;
}

template <class T>
T flush(T x) {
  return std::abs(x) < std::numeric_limits<T>::min() ? std::copysign(T(0), x) : x;
}

/// The distance of `got` from `exact` in units of the last place of the result; huge where the kind of value is wrong.
template <class T>
double error_in_ulps(T got, long double exact) {
  constexpr double wrong = 1e9;
  const auto rounded = static_cast<T>(exact);
  const T smallest = std::numeric_limits<T>::min();
  if (std::isnan(exact)) return std::isnan(got) ? 0 : wrong;
  if (std::abs(exact) < static_cast<long double>(smallest)) {
    const bool near = got == 0 || std::abs(got) <= smallest;
    return near && std::signbit(got) == std::signbit(exact) ? 0 : wrong;
  }
  if (std::isinf(rounded)) return got == rounded ? 0 : wrong;
  if (!std::isfinite(got)) return wrong;
  const int exponent = std::ilogb(rounded);
  const long double ulp = std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1);
  return static_cast<double>(std::abs(static_cast<long double>(got) - exact) / ulp);
}

struct Function {
  const char* name;
  Expr (*build)(Expr);
  long double (*exact)(long double);
  double bound_f32;
  double bound_f64;
};

long double exact_softplus(long double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

const Function functions[] = {
    {"exp", loop::exp, [](long double x) { return std::exp(x); }, 0.9, 0.9},
    {"expm1", loop::expm1, [](long double x) { return std::expm1(x); }, 1.5, 1.8},
    {"log", loop::log, [](long double x) { return std::log(x); }, 0.9, 0.9},
    {"log1p", loop::log1p, [](long double x) { return std::log1p(x); }, 0.9, 0.9},
    {"tanh", loop::tanh, [](long double x) { return std::tanh(x); }, 1.5, 1.5},
    {"sigmoid", loop::sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }, 1.7, 1.7},
    {"softplus", loop::softplus, exact_softplus, 1.7, 1.7},
    {"erf", loop::erf, [](long double x) { return std::erf(x); }, 1.25, 1.2},
    {"sin", loop::sin, [](long double x) { return std::sin(x); }, 0.51, 0.8},
    {"cos", loop::cos, [](long double x) { return std::cos(x); }, 0.51, 0.8},
};

template <class T>
void check_bound(const Function& function, const std::vector<T>& x, double bound) {
  const std::vector<T> got = evaluate<T>([&](Expr a, Expr) { return function.build(a); }, x, x);
  double worst = 0;
  T worst_at{};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = error_in_ulps(got[i], function.exact(flush(x[i])));
    if (error > worst) {
      worst = error;
      worst_at = x[i];
    }
  }
  CAPTURE(function.name);
  CAPTURE(worst_at);
  CHECK(worst <= bound);
}

}  // namespace

TEST_CASE("functions of f32 stay within their stated bounds at all exponents and special values") {
  const std::vector<float> x = samples<float>(150000);
  for (const Function& function : functions) check_bound(function, x, function.bound_f32);
}

TEST_CASE("functions of f64 stay within their stated bounds") {
  std::vector<double> x = samples<double>(60000);
  // Multiples of pi/2 are the hardest arguments: nearly all their bits cancel.
  for (int n = 1; n < 2000; ++n) x.push_back(n * 1.5707963267948966 * (n % 7 == 0 ? 0x1p30 : 1));
  x.push_back(6381956970095103.0 * 0x1p-11);
  for (const double large : {0x1p42, std::nextafter(0x1p42, 1e300), 1e22, 0x1p300, 0x1.fffffffffffffp1023}) {
    x.push_back(large);
    x.push_back(-large);
  }
  for (const Function& function : functions) check_bound(function, x, function.bound_f64);
}

TEST_CASE("odd functions keep the sign of zero") {
  for (const auto build : {loop::sin, loop::tanh, loop::erf, loop::expm1, loop::log1p}) {
    const std::vector<float> zeros{0.0F, -0.0F};
    const std::vector<float> got = evaluate<float>([&](Expr a, Expr) { return build(a); }, zeros, zeros);
    CHECK(std::bit_cast<std::uint32_t>(got[0]) == 0);
    CHECK(std::bit_cast<std::uint32_t>(got[1]) == 0x80000000U);
  }
}

TEST_CASE("pow keeps its bounds, and IEEE 754's special cases") {
  const auto check = [&]<class T>(T, std::size_t count, double bound) {
    std::vector<T> x;
    std::vector<T> y;
    const T infinity = std::numeric_limits<T>::infinity();
    const T specials[] = {T(0),
                          T(-0.0),
                          1,
                          -1,
                          2,
                          -2,
                          3,
                          -3,
                          T(0.5),
                          T(-0.5),
                          T(1.5),
                          -1.5,
                          4e3,
                          -4e3,
                          T(1e38),
                          T(-1e38),
                          infinity,
                          -infinity,
                          std::numeric_limits<T>::quiet_NaN(),
                          std::numeric_limits<T>::denorm_min(),
                          T(16777215)};
    for (const T a : specials) {
      for (const T b : specials) {
        x.push_back(a);
        y.push_back(b);
      }
    }
    std::mt19937_64 engine(11);
    const double reach = std::numeric_limits<T>::max_exponent;
    while (x.size() < count) {
      const double exponent = std::uniform_real_distribution<double>(-reach / 2, reach / 2)(engine);
      x.push_back(static_cast<T>(std::exp2(exponent)));
      y.push_back(static_cast<T>(std::uniform_real_distribution<double>(-reach, reach)(engine) / exponent));
      x.push_back(static_cast<T>(1 + std::uniform_real_distribution<double>(-0.5, 0.5)(engine)));
      y.push_back(static_cast<T>(std::uniform_real_distribution<double>(-reach, reach)(engine)));
    }
    const std::vector<T> got = evaluate<T>([](Expr a, Expr b) { return loop::pow(a, b); }, x, y);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double exact = std::pow(static_cast<long double>(flush(x[i])), static_cast<long double>(flush(y[i])));
      const double error = error_in_ulps(got[i], exact);
      if (error > bound) FAIL_CHECK("pow(", x[i], ", ", y[i], ") = ", got[i], ", off by ", error, " ulp");
    }
  };
  check(float{}, 100000, 0.51);
  check(double{}, 50000, 1.2);
}

TEST_CASE("classification tells NaN, infinite and finite apart") {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{0, -1, infinity, -infinity, std::numeric_limits<float>::quiet_NaN(), 3e38F};
  const auto classify = [&](Expr (*build)(Expr)) {
    return evaluate<float, bool>([&](Expr a, Expr) { return build(a); }, x, x);
  };
  CHECK(classify(loop::is_nan) == std::vector<bool>{false, false, false, false, true, false});
  CHECK(classify(loop::is_inf) == std::vector<bool>{false, false, true, true, false, false});
  CHECK(classify(loop::is_finite) == std::vector<bool>{true, true, false, false, false, true});
}
