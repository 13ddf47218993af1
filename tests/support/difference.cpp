#include "difference.h"

#include <cstring>

#include <fmt/format.h>

namespace lathe::test {
namespace {

template <class T>
std::string different_element(const Tensor& expected, const Tensor& found) {
  const auto a = expected.data<T>();
  const auto b = found.data<T>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = a[i] != a[i] && b[i] != b[i];
    if (!both_nan && std::memcmp(&a[i], &b[i], sizeof(T)) != 0) {
      return fmt::format("element {} is {} instead of {}", i, b[i], a[i]);
    }
  }
  return "";
}

}  // namespace

std::string difference(const Tensor& expected, const Tensor& found) {
  if (expected.dtype() != found.dtype() || expected.shape() != found.shape()) return "another type";
  if (expected.dtype() == f32) return different_element<float>(expected, found);
  if (expected.dtype() == f64) return different_element<double>(expected, found);
  return expected == found ? "" : "another number";
}

}  // namespace lathe::test
