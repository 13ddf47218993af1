#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <utility>
#include <variant>
#include <vector>

#include <lathe/graph/graph.h>
#include <lathe/ops/variable.h>

/// Learning rates as functions of the number of updates done so far. Formulas and names are Keras's.
namespace lathe::optim {

/// Makes the f64 scalar of the rate from the i64 scalar of the updates done before this one: 0 at the first.
using Schedule = std::function<Value(Value step)>;

/// A learning rate: a number, a schedule, or any float scalar of the graph, such as a variable that a callback sets.
class LearningRate {
 public:
  LearningRate(double rate) : rate_(rate) {}
  LearningRate(Schedule schedule) : rate_(std::move(schedule)) {}
  LearningRate(Value rate) : rate_(rate) {}
  LearningRate(const Variable& rate) : LearningRate(rate.value) {}

  /// The number, if that is what it is.
  std::optional<double> number() const {
    const double* rate = std::get_if<double>(&rate_);
    return rate ? std::optional(*rate) : std::nullopt;
  }
  /// The rate as an f64 scalar. Throws GraphError if it is a value and not a float scalar.
  Value at(Value step, std::source_location where = std::source_location::current()) const;

 private:
  std::variant<double, Schedule, Value> rate_;
};

/// The same rate always.
Schedule constant_rate(double rate);

struct ExponentialDecay {
  double initial_rate = 0.1;
  std::int64_t decay_steps = 1000;
  double decay_rate = 0.96;
  bool staircase = false;  // round step / decay_steps down
};
/// initial_rate * decay_rate^(step / decay_steps)
Schedule exponential_decay(const ExponentialDecay& options);

struct CosineDecay {
  double initial_rate = 0.1;
  std::int64_t decay_steps = 1000;
  double alpha = 0;  // the final rate as a part of the initial one
};
/// initial_rate * ((1 - alpha) (1 + cos(pi min(step / decay_steps, 1))) / 2 + alpha)
/// Loshchilov & Hutter, "SGDR", ICLR 2017.
Schedule cosine_decay(const CosineDecay& options);

/// rates[i] for the first i with step <= boundaries[i], the last of the rates beyond them all. Boundaries ascend, and
/// there is one rate more than there are boundaries; GraphError otherwise.
Schedule piecewise_constant(std::vector<std::int64_t> boundaries, std::vector<double> rates);

}  // namespace lathe::optim
