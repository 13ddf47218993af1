#include <lathe/ops/nn/initializers.h>

#include <cmath>

#include <fmt/format.h>

#include <lathe/ops/random.h>
#include <lathe/ops/source.h>

namespace lathe::nn::init {
namespace {

struct Fans {
  double in = 1;
  double out = 1;
};

Fans fans_of(const Shape& shape, const std::source_location& where) {
  for (const Dim& extent : shape) {
    if (!extent.is_constant()) {
      throw GraphError(fmt::format("initializer ({}): a parameter cannot have the symbolic shape {}",
                                   describe(SourceLine(where)), to_string(shape)));
    }
  }
  if (shape.empty()) return {};
  const auto last = static_cast<double>(shape.back().constant());
  if (shape.size() == 1) return {last, last};
  double window = 1;
  for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis) window *= static_cast<double>(shape[axis].constant());
  return {window * static_cast<double>(shape[shape.size() - 2].constant()), window * last};
}

Value uniform(Graph& graph, const Shape& shape, DType dtype, double variance, const std::source_location& where) {
  const double limit = std::sqrt(3 * variance);
  return random_uniform(graph, shape, -limit, limit, {.dtype = dtype}, where);
}

Value normal(Graph& graph, const Shape& shape, DType dtype, double variance, const std::source_location& where) {
  // The standard deviation of a standard normal cut off at -2 and 2, as in Keras's VarianceScaling.
  constexpr double truncated_stddev = 0.87962566103423978;
  return random_truncated_normal(graph, shape, 0, std::sqrt(variance) / truncated_stddev, {.dtype = dtype}, where);
}

}  // namespace

Value glorot_uniform(Graph& graph, const Shape& shape, DType dtype, std::source_location where) {
  const Fans fans = fans_of(shape, where);
  return uniform(graph, shape, dtype, 2 / (fans.in + fans.out), where);
}

Value glorot_normal(Graph& graph, const Shape& shape, DType dtype, std::source_location where) {
  const Fans fans = fans_of(shape, where);
  return normal(graph, shape, dtype, 2 / (fans.in + fans.out), where);
}

Value he_uniform(Graph& graph, const Shape& shape, DType dtype, std::source_location where) {
  return uniform(graph, shape, dtype, 2 / fans_of(shape, where).in, where);
}

Value he_normal(Graph& graph, const Shape& shape, DType dtype, std::source_location where) {
  return normal(graph, shape, dtype, 2 / fans_of(shape, where).in, where);
}

Value zeros(Graph& graph, const Shape& shape, DType dtype, std::source_location where) {
  return fill(graph, shape, 0, dtype, where);
}

Value ones(Graph& graph, const Shape& shape, DType dtype, std::source_location where) {
  return fill(graph, shape, 1, dtype, where);
}

Initializer truncated_normal(double mean, double stddev) {
  return [=](Graph& graph, const Shape& shape, DType dtype, std::source_location where) {
    return random_truncated_normal(graph, shape, mean, stddev, {.dtype = dtype}, where);
  };
}

Initializer constant(double value) {
  return [=](Graph& graph, const Shape& shape, DType dtype, std::source_location where) {
    return fill(graph, shape, value, dtype, where);
  };
}

}  // namespace lathe::nn::init
