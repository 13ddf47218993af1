#include <lathe/ops/losses.h>

#include <string_view>

#include <fmt/format.h>

#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/softmax.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

/// Names one argument of a loss for its errors.
struct Argument {
  std::string_view name;
  Value value;
};

[[noreturn]] void fail(std::string_view loss, const std::source_location& where, std::string_view message) {
  throw GraphError(fmt::format("{} ({}): {}", loss, describe(SourceLine(where)), message));
}

/// Losses whose arguments pair up element by element never broadcast: a [n] against an [n, 1] would silently make n^2.
void require_alike(std::string_view loss, const Argument& a, const Argument& b, const std::source_location& where) {
  const std::string message = fmt::format("{} and {} must be floats of one dtype and shape: {} is {}, {} is {}", a.name,
                                          b.name, a.name, to_string(a.value.type()), b.name, to_string(b.value.type()));
  const TensorType x = a.value.type();
  const TensorType y = b.value.type();
  if (!is_float(x.dtype) || x.dtype != y.dtype || x.rank() != y.rank()) fail(loss, where, message);
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (!a.value.graph().unify(x.shape[axis], y.shape[axis])) fail(loss, where, message);
  }
}

void require_rows(std::string_view loss, const Argument& a, const std::source_location& where) {
  if (a.value.rank() == 0) fail(loss, where, fmt::format("{} is a scalar and has no rows", a.name));
}

void require_labels(std::string_view loss, const Value& labels, const Value& logits,
                    const std::source_location& where) {
  require_rows(loss, {"logits", logits}, where);
  if (!is_float(logits.dtype())) fail(loss, where, fmt::format("logits are floats, not {}", to_string(logits.dtype())));
  if (!is_integer(labels.dtype())) {
    fail(loss, where, fmt::format("labels are integers, not {}", to_string(labels.dtype())));
  }
  const std::string message = fmt::format("labels {} do not match the rows of logits {}: one label a row",
                                          to_string(labels.shape()), to_string(logits.shape()));
  if (labels.rank() + 1 != logits.rank()) fail(loss, where, message);
  for (std::size_t axis = 0; axis < labels.rank(); ++axis) {
    if (!labels.graph().unify(labels.shape()[axis], logits.shape()[axis])) fail(loss, where, message);
  }
}

}  // namespace

Value softmax_cross_entropy(Value labels, Value logits, std::source_location where) {
  require_alike("softmax_cross_entropy", {"labels", labels}, {"logits", logits}, where);
  require_rows("softmax_cross_entropy", {"logits", logits}, where);
  const Graph::Line line(logits.graph(), where);
  return -sum(labels * log_softmax(logits), {-1});
}

Value sparse_softmax_cross_entropy(Value labels, Value logits, std::source_location where) {
  require_labels("sparse_softmax_cross_entropy", labels, logits, where);
  Graph& graph = logits.graph();
  const Graph::Line line(graph, where);
  const Dim classes = logits.shape().back();
  const Value label = expand_dims(check_labels(labels, classes), -1);
  const Value chosen = equal(iota(graph, classes, labels.dtype()), label);
  const Value largest = stop_gradient(reduce_max(logits, {-1}, true));
  const Value log_total = log(sum(exp(logits - largest), {-1})) + squeeze(largest, {-1});
  return log_total - sum(select(chosen, logits, 0), {-1});
}

Value sigmoid_cross_entropy(Value labels, Value logits, std::source_location where) {
  require_alike("sigmoid_cross_entropy", {"labels", labels}, {"logits", logits}, where);
  const Graph::Line line(logits.graph(), where);
  // Selects instead of relu and abs, whose gradients of 0 at 0 would not add up to sigmoid(0) there.
  const Value positive = logits >= 0;
  const Value largest = select(positive, logits, 0);
  const Value minus_abs = select(positive, -logits, logits);
  return largest - logits * labels + log1p(exp(minus_abs));
}

Value mean_squared_error(Value targets, Value predictions, std::source_location where) {
  require_alike("mean_squared_error", {"targets", targets}, {"predictions", predictions}, where);
  require_rows("mean_squared_error", {"predictions", predictions}, where);
  const Graph::Line line(predictions.graph(), where);
  return mean(square(predictions - targets), {-1});
}

}  // namespace lathe
