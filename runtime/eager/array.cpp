#include <lathe/runtime/eager/array.h>

#include <cstring>
#include <ostream>

#include <fmt/format.h>

#include <lathe/ops/reshape.h>
#include <lathe/ops/slice.h>
#include <lathe/runtime/eager/state.h>

namespace lathe::eager {

Array::Array(Value value, std::source_location where) : Value(std::move(value)) {
  State::of(*this, fmt::format("the array ({})", describe(SourceLine(where))));
}

const Extents& Array::extents() const {
  return State::of(*this, "an array").extents(id().node);
}

TensorView Array::view() const {
  return State::of(*this, "an array").view(*this);
}

Tensor Array::tensor() const {
  const TensorView from = view();
  Tensor out(from.dtype, extents());
  if (!out.bytes().empty()) std::memcpy(out.bytes().data(), from.data, out.bytes().size());
  return out;
}

Array Array::operator[](std::int64_t index) const {
  if (rank() == 0) throw GraphError(fmt::format("index {} of {}, a scalar", index, describe(node())));
  const std::int64_t rows = extents().front();
  if (index < -rows || index >= rows) {
    throw GraphError(fmt::format("index {} of {}, which is {}", index, describe(node()), to_string(type())));
  }
  const std::int64_t row = index < 0 ? index + rows : index;
  return squeeze(slice(*this, {Range{row, row + 1}}), {0});
}

void Array::check_dtype(DType asked) const {
  if (asked == dtype()) return;
  throw RunError(fmt::format("{} asked of {}, which is {}", to_string(asked), describe(node()), to_string(type())));
}

void Array::check_single() const {
  if (size() == 1) return;
  throw RunError(fmt::format("one element asked of {}, which is {}", describe(node()), to_string(type())));
}

std::ostream& operator<<(std::ostream& out, const Array& array) {
  return out << to_string(array);
}

}  // namespace lathe::eager
