#include <lathe/graph/dtype.h>

#include <array>

namespace lathe {
namespace {

constexpr std::array<std::string_view, 6> names{"bool", "u8", "i32", "i64", "f32", "f64"};

}  // namespace

std::string_view to_string(DType dtype) {
  return names[static_cast<std::size_t>(dtype)];
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace lathe
