#include <lathe/ops/optim/clip.h>

#include <string_view>

#include <fmt/format.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>

namespace lathe::optim {
namespace {

/// The graph of a non-empty list of values, of which `limit` is a positive bound.
Graph& check(std::string_view name, const Values& gradients, double limit, const std::source_location& where) {
  const std::string prefix = fmt::format("{} ({}): ", name, describe(SourceLine(where)));
  if (!(limit > 0)) throw GraphError(fmt::format("{}the limit must be positive, not {}", prefix, limit));
  if (gradients.empty()) throw GraphError(prefix + "there are no values");
  for (const Value& g : gradients) {
    if (g.empty()) throw GraphError(prefix + "a value is empty");
    if (!is_float(g.dtype())) {
      throw GraphError(fmt::format("{}'{}' is {}, not a float", prefix, g.name(), to_string(g.dtype())));
    }
  }
  return gradients.front().graph();
}

/// The joint L2 norm, an f64 scalar.
Value norm_of(const Values& gradients) {
  Value total;
  for (const Value& g : gradients) {
    const Value squares = cast(sum(square(g)), DType::f64);
    total = total.empty() ? squares : total + squares;
  }
  return sqrt(total);
}

/// g * max_norm / max(norm, max_norm)
Value scale_down(const Value& g, const Value& norm, double max_norm) {
  return g * cast(max_norm / maximum(norm, max_norm), g.dtype());
}

}  // namespace

Values clip_by_value(const Values& gradients, double limit, std::source_location where) {
  const Graph::Line line(check("clip_by_value", gradients, limit, where), where);
  Values clipped;
  for (const Value& g : gradients) clipped.push_back(clip(g, -limit, limit));
  return clipped;
}

Values clip_by_norm(const Values& gradients, double max_norm, std::source_location where) {
  const Graph::Line line(check("clip_by_norm", gradients, max_norm, where), where);
  Values clipped;
  for (const Value& g : gradients) clipped.push_back(scale_down(g, norm_of({g}), max_norm));
  return clipped;
}

Values clip_by_global_norm(const Values& gradients, double max_norm, std::source_location where) {
  const Graph::Line line(check("clip_by_global_norm", gradients, max_norm, where), where);
  const Value norm = norm_of(gradients);
  Values clipped;
  for (const Value& g : gradients) clipped.push_back(scale_down(g, norm, max_norm));
  return clipped;
}

Value global_norm(const Values& gradients, std::source_location where) {
  const Graph::Line line(check("global_norm", gradients, 1, where), where);
  return norm_of(gradients);
}

}  // namespace lathe::optim
