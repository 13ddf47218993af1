#include <lathe/ops/softmax.h>

#include <utility>

#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>

namespace lathe {

Value softmax(Value x, std::int64_t axis, std::source_location where) {
  const Graph::Line line(x.graph(), where);
  const Value weight = exp(x - stop_gradient(reduce_max(x, {axis}, true)));
  // One division a row; all others would take longer than the rest of the work.
  return weight * reciprocal(sum(weight, {axis}, true));
}

Value log_softmax(Value x, std::int64_t axis, std::source_location where) {
  const Graph::Line line(x.graph(), where);
  const Value shifted = x - stop_gradient(reduce_max(x, {axis}, true));
  return shifted - log(sum(exp(shifted), {axis}, true));
}

Value logsumexp(Value x, std::vector<std::int64_t> axes, bool keep_dims, std::source_location where) {
  const Graph::Line line(x.graph(), where);
  const Value largest = stop_gradient(reduce_max(x, axes, true));
  // Without this, inf - inf would make a NaN of a row whose maximum is infinite.
  const Value shift = select(isfinite(largest), largest, 0);
  const Value total = sum(exp(x - shift), std::move(axes), keep_dims);
  return log(total) + reshape(shift, total.shape());
}

}  // namespace lathe
