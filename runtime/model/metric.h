#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include <lathe/graph/graph.h>

namespace lathe::nn {

/// What training makes small: a number for each example (or element) from labels and predictions. Made from a loss of
/// <lathe/ops/losses.h> by name (sparse_softmax_cross_entropy) or from a function of one's own.
class Loss {
 public:
  Loss() = default;
  Loss(Value (*function)(Value labels, Value predictions, std::source_location));
  template <class F>
  requires std::is_invocable_r_v<Value, F, Value, Value> Loss(F function) : function_(std::move(function)) {}

  explicit operator bool() const { return static_cast<bool>(function_); }
  Value operator()(Value labels, Value predictions) const { return function_(labels, predictions); }

 private:
  std::function<Value(Value, Value)> function_;
};

/// What training reports besides the loss: the mean, over all examples of an epoch, of a number or truth value for
/// each.
struct Metric {
  std::string name;
  std::function<Value(Value labels, Value predictions)> measure;
};

/// sparse_accuracy where labels have one axis less than predictions, categorical_accuracy where they have as many.
Metric accuracy();
/// How often the largest of an example's predictions [.., C] is at its label, an integer [..].
Metric sparse_accuracy(std::string name = "sparse_accuracy");
/// How often the largest of an example's predictions [.., C] is where the largest of its labels [.., C] is.
Metric categorical_accuracy(std::string name = "categorical_accuracy");
/// How often fewer than `k` of an example's predictions [.., C] are larger than the one at its label, an integer [..].
/// A label outside [0, C) never counts.
Metric top_k_accuracy(std::int64_t k = 5, std::string name = "top_k_accuracy");
/// The mean of a loss, to watch beside the one that is trained.
Metric mean_loss(Loss loss, std::string name);

}  // namespace lathe::nn
