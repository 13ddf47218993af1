#include <lathe/ops/optim/optimizers.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>

namespace lathe::optim {
namespace {

/// Throws unless the number lies in [low, high).
void require(std::string_view optimizer, std::string_view option, double number, double low, double high) {
  if (number >= low && number < high) return;
  throw GraphError(fmt::format("{}: {} {} is outside [{}, {})", optimizer, option, number, low, high));
}

struct Moments {
  Value first;
  Value second;
};

Moments update_moments(UpdateContext& context, const Value& w, const Value& g, double beta_1, double beta_2) {
  const Value m = context.slot("m", w);
  const Value v = context.slot("v", w);
  return {context.assign(m, m + (g - m) * (1 - beta_1)), context.assign(v, v + (square(g) - v) * (1 - beta_2))};
}

/// lr sqrt(1 - beta_2^t) / (1 - beta_1^t), an f64 scalar.
Value corrected_rate(const UpdateContext& context, double beta_1, double beta_2) {
  const Value t = context.update_number();
  return context.learning_rate() * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t));
}

void check_adam(std::string_view optimizer, double beta_1, double beta_2, double epsilon) {
  require(optimizer, "beta_1", beta_1, 0, 1);
  require(optimizer, "beta_2", beta_2, 0, 1);
  require(optimizer, "epsilon", epsilon, 0, INFINITY);
}

}  // namespace

Optimizer sgd(SgdOptions options) {
  require(options.name, "momentum", options.momentum, 0, 1);
  return {options.name, options.learning_rate,
          [momentum = options.momentum, nesterov = options.nesterov](UpdateContext&) {
            return [=](UpdateContext& context, const Value& w, const Value& g) {
              const Value step = g * cast(context.learning_rate(), w.dtype());
              if (momentum == 0) {
                context.assign(w, w - step);
                return;
              }
              const Value old = context.slot("momentum", w);
              const Value v = context.assign(old, old * momentum - step);
              context.assign(w, nesterov ? w + (v * momentum - step) : w + v);
            };
          }};
}

Optimizer adam(AdamOptions options) {
  check_adam(options.name, options.beta_1, options.beta_2, options.epsilon);
  return {options.name, options.learning_rate, [options](UpdateContext& shared) -> UpdateRule {
            const Value alpha = corrected_rate(shared, options.beta_1, options.beta_2);
            return [=](UpdateContext& context, const Value& w, const Value& g) {
              const auto [m, v] = update_moments(context, w, g, options.beta_1, options.beta_2);
              context.assign(w, w - cast(alpha, w.dtype()) * m / (sqrt(v) + options.epsilon));
            };
          }};
}

Optimizer adamw(AdamWOptions options) {
  check_adam(options.name, options.beta_1, options.beta_2, options.epsilon);
  require(options.name, "weight_decay", options.weight_decay, 0, INFINITY);
  return {options.name, options.learning_rate, [options](UpdateContext& shared) -> UpdateRule {
            const Value alpha = corrected_rate(shared, options.beta_1, options.beta_2);
            const Value decay = shared.learning_rate() * options.weight_decay;
            return [=](UpdateContext& context, const Value& w, const Value& g) {
              const auto [m, v] = update_moments(context, w, g, options.beta_1, options.beta_2);
              const std::string name = w.name();
              const bool decays = std::none_of(options.exclude.begin(), options.exclude.end(),
                                               [&](const auto& part) { return name.find(part) != std::string::npos; });
              const Value decayed = decays ? w - w * cast(decay, w.dtype()) : w;
              context.assign(w, decayed - cast(alpha, w.dtype()) * m / (sqrt(v) + options.epsilon));
            };
          }};
}

Optimizer rmsprop(RmsPropOptions options) {
  require(options.name, "rho", options.rho, 0, 1);
  require(options.name, "momentum", options.momentum, 0, 1);
  require(options.name, "epsilon", options.epsilon, 0, INFINITY);
  return {options.name, options.learning_rate, [options](UpdateContext&) -> UpdateRule {
            return [=](UpdateContext& context, const Value& w, const Value& g) {
              const auto average = [&](std::string_view name, const Value& of) {
                const Value old = context.slot(name, w);
                return context.assign(old, old * options.rho + of * (1 - options.rho));
              };
              Value spread = average("velocity", square(g));
              if (options.centered) spread = spread - square(average("average", g));
              const Value step = g * cast(context.learning_rate(), w.dtype()) / sqrt(spread + options.epsilon);
              if (options.momentum == 0) {
                context.assign(w, w - step);
                return;
              }
              const Value old = context.slot("momentum", w);
              context.assign(w, w - context.assign(old, old * options.momentum + step));
            };
          }};
}

Optimizer adagrad(AdagradOptions options) {
  require(options.name, "initial_accumulator", options.initial_accumulator, 0, INFINITY);
  require(options.name, "epsilon", options.epsilon, 0, INFINITY);
  return {options.name, options.learning_rate, [options](UpdateContext&) -> UpdateRule {
            return [=](UpdateContext& context, const Value& w, const Value& g) {
              const Value old = context.slot("accumulator", w, options.initial_accumulator);
              const Value total = context.assign(old, old + square(g));
              const Value step = g * cast(context.learning_rate(), w.dtype()) / sqrt(total + options.epsilon);
              context.assign(w, w - step);
            };
          }};
}

}  // namespace lathe::optim
