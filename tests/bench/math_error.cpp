// The largest error of every one-argument f32 function, over all 2^32 inputs: what the stated bounds rest on. Takes
// minutes a function; --stride 1000 looks at every thousandth input.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/math.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/cpus.h>
#include <lathe/runtime/session.h>

#include <lathe/runtime/write_file.h>
#include "../../examples/support/program.h"

using namespace lathe;

namespace {

struct Function {
  std::string name;
  Value (*build)(Value);
  double (*exact)(double);  // good to far less than an f32's last place
};

double softplus_exactly(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

std::vector<Function> functions() {
  return {
      {"exp", [](Value x) { return exp(x); }, [](double x) { return std::exp(x); }},
      {"expm1", [](Value x) { return expm1(x); }, [](double x) { return std::expm1(x); }},
      {"log", [](Value x) { return log(x); }, [](double x) { return std::log(x); }},
      {"log1p", [](Value x) { return log1p(x); }, [](double x) { return std::log1p(x); }},
      {"sqrt", [](Value x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }},
      {"rsqrt", [](Value x) { return rsqrt(x); }, [](double x) { return 1 / std::sqrt(x); }},
      {"sin", [](Value x) { return sin(x); }, [](double x) { return std::sin(x); }},
      {"cos", [](Value x) { return cos(x); }, [](double x) { return std::cos(x); }},
      {"tanh", [](Value x) { return tanh(x); }, [](double x) { return std::tanh(x); }},
      {"sigmoid", [](Value x) { return sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"softplus", [](Value x) { return softplus(x); }, softplus_exactly},
      {"erf", [](Value x) { return erf(x); }, [](double x) { return std::erf(x); }},
  };
}

/// Subnormals count as zero, as in every run.
template <class T>
T flushed(T x) {
  return std::abs(x) < std::numeric_limits<float>::min() ? std::copysign(T(0), x) : x;
}

/// In units of the last place of the exact result; infinite where a result is of another kind.
double error_in_ulps(float got, double exact) {
  constexpr double wrong = std::numeric_limits<double>::infinity();
  const auto rounded = static_cast<float>(exact);
  if (std::isnan(exact)) return std::isnan(got) ? 0 : wrong;
  if (flushed(exact) == 0) return std::abs(got) <= std::numeric_limits<float>::min() ? 0 : wrong;
  if (std::isinf(rounded)) return got == rounded ? 0 : wrong;
  if (!std::isfinite(got)) return wrong;
  const double ulp = std::ldexp(1.0, std::ilogb(rounded) - std::numeric_limits<float>::digits + 1);
  return std::abs(static_cast<double>(got) - exact) / ulp;
}

struct Worst {
  double ulps = 0;
  float at = 0;
};

Worst worst_of(const Function& function, std::span<const float> x, std::span<const float> y) {
  Worst worst;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = error_in_ulps(y[i], function.exact(static_cast<double>(flushed(x[i]))));
    if (error > worst.ulps) worst = {error, x[i]};
  }
  return worst;
}

Worst measure(const Function& function, std::uint64_t stride) {
  constexpr std::uint64_t inputs = std::uint64_t{1} << 32;
  constexpr std::int64_t block = 1 << 20;
  Graph graph;
  const Value x = placeholder(graph, "x", f32, {dim("n")});
  Session session(graph, {.cache = {.enabled = false}});
  Callable run = session.prepare({function.build(x)}, {x});
  Tensor values(f32, {block});
  const std::span<float> all = values.data<float>();
  const auto threads = static_cast<std::size_t>(usable_cpus());
  Worst worst;
  for (std::uint64_t next = 0; next < inputs;) {
    std::size_t count = 0;
    for (; count < all.size() && next < inputs; next += stride) {
      all[count++] = std::bit_cast<float>(static_cast<std::uint32_t>(next));
    }
    values.resize(std::array{static_cast<std::int64_t>(count)});
    const std::span<const float> y = run({values})[0].data<float>();
    std::vector<Worst> parts(threads);
    {
      std::vector<std::jthread> workers;
      for (std::size_t i = 0; i < threads; ++i) {
        workers.emplace_back([&, i] {
          const std::size_t begin = count * i / threads;
          const std::size_t length = count * (i + 1) / threads - begin;
          parts[i] = worst_of(function, all.subspan(begin, length), y.subspan(begin, length));
        });
      }
    }
    for (const Worst& part : parts) {
      if (part.ulps > worst.ulps) worst = part;
    }
    values.resize(std::array{block});
  }
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t stride = 1;
  std::string only;
  std::string json;
  CLI::App app("Measures the largest error of every one-argument f32 function.");
  app.add_option("--stride", stride, "Look at every so manieth of the 2^32 inputs")->check(CLI::PositiveNumber);
  app.add_option("--only", only, "One function");
  app.add_option("--json", json, "File for the figures");
  CLI11_PARSE(app, argc, argv);
  return examples::guarded([&] {
    nlohmann::ordered_json figures;
    fmt::print("{:<10}{:>12}   at\n", "f32", "largest ulp");
    for (const Function& function : functions()) {
      if (!only.empty() && function.name != only) continue;
      const Worst worst = measure(function, stride);
      fmt::print("{:<10}{:>12.3f}   {:.9g}\n", function.name, worst.ulps, worst.at);
      figures[function.name] = {{"ulp", worst.ulps}, {"at", worst.at}};
    }
    if (!json.empty()) write_file(json, figures.dump(2) + "\n");
  });
}
