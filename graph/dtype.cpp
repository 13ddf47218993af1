#include <lathe/graph/dtype.h>

#include <array>

namespace lathe {
namespace {

struct Traits {
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array<Traits, 6> traits{{{"bool", 1}, {"u8", 1}, {"i32", 4}, {"i64", 8}, {"f32", 4}, {"f64", 8}}};

}  // namespace

std::size_t size_of(DType dtype) {
  return traits[static_cast<std::size_t>(dtype)].bytes;
}

std::string_view to_string(DType dtype) {
  return traits[static_cast<std::size_t>(dtype)].name;
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (std::size_t i = 0; i < traits.size(); ++i) {
    if (traits[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace lathe
