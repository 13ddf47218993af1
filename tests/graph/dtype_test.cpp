#include <lathe/graph/dtype.h>

#include <doctest/doctest.h>

using namespace lathe;

TEST_CASE("every dtype's name parses back and its size is that of its C++ type") {
  for (const DType dtype : {boolean, u8, i32, i64, f32, f64}) {
    CAPTURE(to_string(dtype));
    CHECK(parse_dtype(to_string(dtype)) == dtype);
    dispatch(dtype, [&]<class T>(T) {
      CHECK(dtype_of<T> == dtype);
      CHECK(sizeof(T) == size_of(dtype));
    });
  }
}

TEST_CASE("a name of no dtype does not parse") {
  for (const auto* name : {"", "float", "F32", "f16", "bool "}) CHECK_FALSE(parse_dtype(name));
}

TEST_CASE("floats and integers are told apart, and bool is neither") {
  CHECK(is_float(f32));
  CHECK(is_float(f64));
  CHECK(is_integer(u8));
  CHECK(is_integer(i64));
  CHECK_FALSE(is_float(i32));
  CHECK_FALSE(is_integer(f64));
  CHECK_FALSE(is_float(boolean));
  CHECK_FALSE(is_integer(boolean));
}

TEST_CASE("only types with a dtype are elements") {
  CHECK(Element<float>);
  CHECK_FALSE(Element<long double>);
  CHECK_FALSE(Element<char>);
}
