#include <lathe/ops/softmax.h>

#include <utility>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/math.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>

namespace lathe {

Value softmax(Value x, std::int64_t axis, std::source_location where) {
  const Value largest = stop_gradient(reduce_max(x, {axis}, true, where), where);
  const Value weight = exp(sub(x, largest, where), where);
  return div(weight, sum(weight, {axis}, true, where), where);
}

Value log_softmax(Value x, std::int64_t axis, std::source_location where) {
  const Value largest = stop_gradient(reduce_max(x, {axis}, true, where), where);
  const Value shifted = sub(x, largest, where);
  return sub(shifted, log(sum(exp(shifted, where), {axis}, true, where), where), where);
}

Value logsumexp(Value x, std::vector<std::int64_t> axes, bool keep_dims, std::source_location where) {
  const Value largest = stop_gradient(reduce_max(x, axes, true, where), where);
  // Without this, inf - inf would make a NaN of a row whose maximum is infinite.
  const Value shift = select(isfinite(largest, where), largest, 0, where);
  const Value total = sum(exp(sub(x, shift, where), where), std::move(axes), keep_dims, where);
  const Value back = keep_dims ? shift : reshape(shift, total.shape(), where);
  return add(log(total, where), back, where);
}

}  // namespace lathe
