#pragma once

#include <functional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/graph/graph.h>
#include <lathe/ops/optim/schedule.h>

namespace lathe::optim {

/// A variable and the gradient of the loss with respect to it.
struct GradientAndVariable {
  Value gradient;
  Value variable;
};

/// What an optimizer's rule builds with, once a call of apply_gradients.
class UpdateContext {
 public:
  UpdateContext(Graph& graph, const LearningRate& learning_rate, std::source_location where);

  /// The number of this update as an f64 scalar: 1 at the first.
  Value update_number() const { return update_number_; }
  /// The learning rate as an f64 scalar.
  Value learning_rate() const { return learning_rate_; }
  /// State of the optimizer of the type of `variable`, filled with `initial`: the variable "adam/m/dense/kernel".
  Value slot(std::string_view name, const Value& variable, double initial = 0) const;
  /// Gives a variable or slot its value after the run, which is returned.
  Value assign(const Value& variable, const Value& value);

  /// Everything assigned so far, the count of updates included.
  const Values& assignments() const { return assignments_; }

 private:
  Graph& graph_;
  Value update_number_;
  Value learning_rate_;
  Values assignments_;
};

/// How one variable is updated from its gradient, which has its type.
using UpdateRule = std::function<void(UpdateContext& context, Value variable, Value gradient)>;

/// A way to train: a learning rate and a rule. Made by sgd(), adam() and their like, or from a rule of one's own. It
/// only builds graphs: all state is in variables of the graph, so saving and restoring the variables is enough to go on
/// training as if it had never stopped. What depends on the step alone is computed in f64 and rounded once, so that
/// 1 - 0.999^t is as good in an f32 model as it can be.
class Optimizer {
 public:
  /// Makes a rule for one call of apply_gradients, having built what all its variables share.
  using MakeRule = std::function<UpdateRule(UpdateContext& context)>;
  Optimizer(std::string name, LearningRate learning_rate, MakeRule make_rule)
      : name_(std::move(name)), learning_rate_(std::move(learning_rate)), make_rule_(std::move(make_rule)) {}

  const std::string& name() const { return name_; }
  const LearningRate& learning_rate() const { return learning_rate_; }
  /// The same optimizer with another learning rate, such as a variable in place of a number.
  Optimizer with_learning_rate(LearningRate learning_rate) const {
    return {name_, std::move(learning_rate), make_rule_};
  }

  /// apply_gradients with the gradients of the float scalar `loss`; of all trainable variables if none are given.
  /// Throws GraphError if there are none, or if the loss does not depend on one that was given. Trainable variables
  /// that it does not depend on are left alone.
  Value minimize(Value loss, Values variables = {}, std::source_location where = std::source_location::current()) const;

  /// An effect that updates each variable, the slots and the count "adam/iteration" (i64, not trainable) in the runs
  /// that fetch it. Everything new is named in the scope "adam" (the optimizer's name). Throws GraphError for an empty
  /// list, what is not a variable, a variable given twice, and a gradient that is not of its variable's type.
  Value apply_gradients(const std::vector<GradientAndVariable>& pairs,
                        std::source_location where = std::source_location::current()) const;

 private:
  std::string name_;
  LearningRate learning_rate_;
  MakeRule make_rule_;
};

}  // namespace lathe::optim
