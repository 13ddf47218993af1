#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lathe {

/// Element types. The order is the promotion order: an operation never goes down it without an explicit cast.
/// f16, bf16 and i8 have their places in the order when kernels for them exist.
enum class DType : std::uint8_t { boolean, u8, i32, i64, f32, f64 };
using enum DType;

std::string_view to_string(DType dtype);
std::optional<DType> parse_dtype(std::string_view name);

constexpr bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64;
}
constexpr bool is_integer(DType dtype) {
  return dtype == DType::u8 || dtype == DType::i32 || dtype == DType::i64;
}

/// The DType that holds C++ type T; only the types with a DType are specialised.
template <class T>
inline constexpr std::optional<DType> dtype_of = std::nullopt;
template <>
inline constexpr std::optional<DType> dtype_of<bool> = DType::boolean;
template <>
inline constexpr std::optional<DType> dtype_of<std::uint8_t> = DType::u8;
template <>
inline constexpr std::optional<DType> dtype_of<std::int32_t> = DType::i32;
template <>
inline constexpr std::optional<DType> dtype_of<std::int64_t> = DType::i64;
template <>
inline constexpr std::optional<DType> dtype_of<float> = DType::f32;
template <>
inline constexpr std::optional<DType> dtype_of<double> = DType::f64;

template <class T>
concept Element = dtype_of<T>
.has_value();

/// Calls `f` with a default value of the C++ type behind `dtype`: dispatch(t, [&]<class T>(T) { ... }).
template <class F>
constexpr decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::boolean: return f(bool{});
    case DType::u8: return f(std::uint8_t{});
    case DType::i32: return f(std::int32_t{});
    case DType::i64: return f(std::int64_t{});
    case DType::f32: return f(float{});
    case DType::f64: break;
  }
  return f(double{});
}

/// The bytes of an element.
constexpr std::size_t size_of(DType dtype) {
  return dispatch(dtype, []<class T>(T) { return sizeof(T); });
}

}  // namespace lathe
