#include <lathe/ops/optim/schedule.h>

#include <algorithm>
#include <numbers>
#include <utility>

#include <fmt/format.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>

namespace lathe::optim {
namespace {

void require_positive(std::string_view schedule, std::int64_t decay_steps) {
  if (decay_steps < 1) {
    throw GraphError(fmt::format("{}: decay_steps must be at least 1, not {}", schedule, decay_steps));
  }
}

}  // namespace

Value LearningRate::at(Value step, std::source_location where) const {
  const Graph::Line line(step.graph(), where);
  if (const auto rate = number()) return constant(step.graph(), *rate);
  if (const Schedule* schedule = std::get_if<Schedule>(&rate_)) return (*schedule)(step);
  const Value rate = std::get<Value>(rate_);
  if (rate.empty() || &rate.graph() != &step.graph() || !is_float(rate.dtype()) || rate.rank() != 0) {
    throw GraphError(fmt::format("learning rate ({}): must be a float scalar of the same graph, and is {}",
                                 describe(SourceLine(where)),
                                 rate.empty() ? "an empty Value" : to_string(rate.type())));
  }
  return cast(rate, DType::f64);
}

Schedule constant_rate(double rate) {
  return [rate](const Value& step) { return constant(step.graph(), rate); };
}

Schedule exponential_decay(const ExponentialDecay& options) {
  require_positive("exponential_decay", options.decay_steps);
  return [options](const Value& step) {
    const Value periods = cast(step, DType::f64) / options.decay_steps;
    return options.initial_rate * pow(options.decay_rate, options.staircase ? floor(periods) : periods);
  };
}

Schedule cosine_decay(const CosineDecay& options) {
  require_positive("cosine_decay", options.decay_steps);
  return [options](const Value& step) {
    const Value done = minimum(cast(step, DType::f64) / options.decay_steps, 1);
    const Value half_wave = (1 + cos(std::numbers::pi * done)) / 2;
    return options.initial_rate * ((1 - options.alpha) * half_wave + options.alpha);
  };
}

Schedule piecewise_constant(std::vector<std::int64_t> boundaries, std::vector<double> rates) {
  if (rates.size() != boundaries.size() + 1) {
    throw GraphError(fmt::format("piecewise_constant: {} boundaries need {} rates, {} given", boundaries.size(),
                                 boundaries.size() + 1, rates.size()));
  }
  if (std::adjacent_find(boundaries.begin(), boundaries.end(), std::greater_equal<>()) != boundaries.end()) {
    throw GraphError("piecewise_constant: the boundaries must ascend");
  }
  return [boundaries = std::move(boundaries), rates = std::move(rates)](const Value& step) {
    Value rate = constant(step.graph(), rates.back());
    for (std::size_t i = boundaries.size(); i-- > 0;) rate = select(step <= boundaries[i], rates[i], rate);
    return rate;
  };
}

}  // namespace lathe::optim
