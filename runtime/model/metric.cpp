#include <lathe/runtime/model/metric.h>

#include <utility>

#include <lathe/ops/argmax.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>

namespace lathe::nn {
namespace {

Value sparse_hits(Value labels, Value predictions) {
  return equal(argmax(predictions, -1), cast(labels, DType::i64));
}

Value categorical_hits(Value labels, Value predictions) {
  return equal(argmax(predictions, -1), argmax(labels, -1));
}

}  // namespace

Loss::Loss(Value (*function)(Value, Value, std::source_location))
    : function_([function](Value labels, Value predictions) {
        return function(labels, predictions, std::source_location::current());
      }) {}

Metric accuracy() {
  return {"accuracy", [](Value labels, Value predictions) {
            return labels.rank() < predictions.rank() ? sparse_hits(labels, predictions)
                                                      : categorical_hits(labels, predictions);
          }};
}

Metric sparse_accuracy(std::string name) {
  return {std::move(name), sparse_hits};
}

Metric categorical_accuracy(std::string name) {
  return {std::move(name), categorical_hits};
}

Metric top_k_accuracy(std::int64_t k, std::string name) {
  return {std::move(name), [k](Value labels, Value predictions) {
            const Value classes = iota(predictions.graph(), predictions.shape().back());
            const Value at_label = equal(classes, expand_dims(cast(labels, DType::i64), -1));
            const Value of_label = sum(select(at_label, predictions, 0), {-1}, true);
            const Value larger = sum(predictions > of_label, {-1});
            // A label that is none of the classes would look like one that was predicted with 0.
            return any(at_label, {-1}) & (larger < k);
          }};
}

Metric mean_loss(Loss loss, std::string name) {
  return {std::move(name), loss};
}

}  // namespace lathe::nn
