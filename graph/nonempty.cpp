#include <lathe/graph/nonempty.h>

#include <algorithm>

namespace lathe {

bool nonempty_with(const Shape& shape, const Shape& other) {
  if (element_count(shape) == element_count(other)) return true;
  return std::all_of(other.begin(), other.end(), [&](const Dim& extent) {
    const auto number = extent.as_constant();
    return number ? *number > 0 : std::find(shape.begin(), shape.end(), extent) != shape.end();
  });
}

}  // namespace lathe
