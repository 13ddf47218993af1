#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

#include <doctest/doctest.h>

#include <lathe/ops/argmax.h>
#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/gather.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/random.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/softmax.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/eager/array.h>

#include "../../support/message_of.h"

using namespace lathe;
using eager::Array;
using lathe::test::message_of;

namespace {

std::vector<float> floats(const Array& array) {
  const auto data = array.data<float>();
  return {data.begin(), data.end()};
}

}  // namespace

TEST_CASE("arrays come from tensors, spans, lists and numbers, and go back") {
  eager::Context context({.threads = 1});
  const Tensor tensor = Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Array x = context.array(tensor);
  CHECK(x.tensor() == tensor);
  CHECK(x.extents() == Extents{2, 3});
  CHECK(x.size() == 6);
  CHECK(x.dtype() == f32);
  const std::vector<double> numbers = {0.5, 1.5};
  CHECK(context.array<double>({2}, numbers).data<double>()[1] == 1.5);
  CHECK(context.array<std::int32_t>({1, 2}, {7, 8}).tensor() == Tensor::from<std::int32_t>({1, 2}, {7, 8}));
  CHECK(context.scalar(std::int64_t{-3}).item<std::int64_t>() == -3);
  CHECK(context.array(Tensor(f32, {0, 4})).size() == 0);
  CHECK(message_of([&] { context.array<float>({3}, {1, 2}); }).find("3") != std::string::npos);
  CHECK(message_of([&] { x.data<double>(); }) == "f64 asked of placeholder 'array', which is f32 [2, 3]");
  CHECK(message_of([&] { x.item<float>(); }) == "one element asked of placeholder 'array', which is f32 [2, 3]");
}

TEST_CASE("ops and operators compute at once, with broadcasting, numbers and every dtype") {
  eager::Context context({.threads = 1});
  const Array x = context.array<float>({2, 2}, {1, 2, 3, 4});
  CHECK(floats(x + x * 10) == std::vector<float>{11, 22, 33, 44});
  CHECK(floats(1 - context.array<float>({2}, {1, 2}) + x) == std::vector<float>{1, 1, 3, 3});
  CHECK(floats(matmul(x, x, {.transpose_b = true})) == std::vector<float>{5, 11, 11, 25});
  CHECK(floats(sum(x, {0})) == std::vector<float>{4, 6});
  CHECK(floats(transpose(x)) == std::vector<float>{1, 3, 2, 4});
  CHECK(Array(argmax(x)).data<std::int64_t>()[1] == 1);
  CHECK(Array(x > 2).data<bool>()[2]);
  CHECK(Array(cast(x, u8) + 250).data<std::uint8_t>()[3] == 254);
  CHECK(Array(iota(context, 3)).data<std::int64_t>()[2] == 2);
  CHECK(floats(fill(context, {2}, 0.5)) == std::vector<float>{0.5, 0.5});
  CHECK(floats(constant(context, {1.0f, 2.0f})) == std::vector<float>{1, 2});
}

TEST_CASE("an index takes a row in place, and a range a part") {
  eager::Context context({.threads = 1});
  const Array x = context.array<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  CHECK(floats(x[1]) == std::vector<float>{3, 4});
  CHECK(floats(x[-1]) == std::vector<float>{5, 6});
  CHECK(x[2][0].item<float>() == 5);
  CHECK(x[1].view().data == x.view().data + 2 * sizeof(float));
  CHECK(floats(slice(x, {Range{1, {}}})) == std::vector<float>{3, 4, 5, 6});
  CHECK(floats(slice(x, {Range{}, Range{1, 2}})) == std::vector<float>{2, 4, 6});
  CHECK(floats(slice(x, {Range{{}, {}, -1}})) == std::vector<float>{5, 6, 3, 4, 1, 2});
  CHECK(message_of([&] { x[3]; }) == "index 3 of placeholder 'array', which is f32 [3, 2]");
  CHECK(message_of([&] { x[-4]; }) == "index -4 of placeholder 'array', which is f32 [3, 2]");
  CHECK(message_of([&] { x[0][0][0]; }).ends_with("a scalar"));
  const Array rows = context.array<float>({2, 1}, {1, 2});
  CHECK(floats(slice(rows, {Range{{}, {}, -1}})) == std::vector<float>{2, 1});
}

TEST_CASE("arrays are printed as NumPy prints them") {
  eager::Context context({.threads = 1});
  const auto text = [&](const Value& value) { return to_string(Array(value)); };
  CHECK(text(context.scalar(2.5f)) == "2.5");
  CHECK(text(context.array<float>({3}, {1, 2, 3})) == "[1. 2. 3.]");
  CHECK(text(context.array<float>({2, 2}, {1, 2.25, -3, 4})) == "[[ 1.    2.25]\n [-3.    4.  ]]");
  CHECK(text(context.array<std::int64_t>({2, 1, 2}, {1, 20, 300, 4})) == "[[[  1  20]]\n\n [[300   4]]]");
  CHECK(text(context.array<bool>({2}, {true, false})) == "[ True False]");
  CHECK(text(context.array<std::uint8_t>({2}, {7, 255})) == "[  7 255]");
  CHECK(text(context.array<double>({2}, {1e-10, 1})) == "[1.e-10 1.e+00]");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(text(context.array<float>({3}, {1, nan, -infinity})) == "[  1.  nan -inf]");
  CHECK(text(context.array(Tensor(f32, {0}))) == "[]");
  CHECK(text(context.array(Tensor(f32, {2, 0}))) == "[[]\n []]");
  CHECK(text(iota(context, 2000)) == "[   0    1    2 ... 1997 1998 1999]");
  CHECK(text(context.scalar(0.1f)) == "0.1");
  CHECK(text(context.scalar(1.0 / 3)) == "0.33333333");
  std::ostringstream out;
  out << context.array<std::int32_t>({2}, {1, 2});
  CHECK(out.str() == "[1 2]");
}

TEST_CASE("a bool of one element decides a branch, and nothing else does") {
  eager::Context context({.threads = 1});
  const Array x = context.array<float>({2}, {1, 2});
  CHECK(static_cast<bool>(sum(x) > 2));
  CHECK_FALSE(static_cast<bool>(sum(x) > 4));
  CHECK(message_of([&] { static_cast<void>(static_cast<bool>(x > 1)); }) ==
        "greater 'greater' is bool [2]: only a bool of one element is true or false");
  CHECK(message_of([&] {
          static_cast<void>(static_cast<bool>(sum(x)));
        }).ends_with("f32 []: only a bool of one element is true or false"));
}

TEST_CASE("a symbolic value in a condition is an error that names its line and select()") {
  Graph graph;
  const Value x = placeholder(graph, "x", f32, {});
  CHECK(message_of([&] { static_cast<void>(static_cast<bool>(x > 0)); }) ==
        "greater 'greater' (HERE) has no value while the graph is built, so C++ cannot branch on it: use "
        "select(condition, a, b), which chooses element by element when the graph runs");
  CHECK(message_of([&] { Array array(x); }).starts_with("the array (HERE) is placeholder 'x' (array_test.cpp:"));
  CHECK(message_of([&] { Array array(x); }).ends_with("which is symbolic: it has no elements while a graph is built"));
}

TEST_CASE("errors come from the call at fault, with its line") {
  eager::Context context({.threads = 1});
  const Array x = context.array<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(message_of([&] { matmul(x, x); }).starts_with("matmul 'matmul' (HERE): inner dimensions differ"));
  CHECK(message_of([&] {
          x + context.array<float>({2}, {1, 2});
        }) == "add 'add' (HERE): shapes [2, 3] and [2] do not broadcast");
  CHECK(message_of([&] {
          x* context.array<double>({3}, {1, 2, 3});
        }) ==
        "mul 'mul' (HERE): dtypes differ: f32 [2, 3] and f64 [3]; cast one of them, nothing is cast "
        "implicitly");
  const Value indices = context.array<std::int64_t>({1}, {7});
  CHECK(message_of([&] { gather(x, indices); }).starts_with("gather (HERE): index 7"));
  CHECK(message_of([&] { assert_all_finite(x / 0, "x / 0"); }) ==
        "assert_all_finite (HERE): x / 0: element 0 is NaN or infinite");
  CHECK(message_of([&] { placeholder(context, "fed", f32, {2}); }) ==
        "placeholder 'fed' (HERE): arrays are computed at once and nothing is fed: use context.array()");
  CHECK(message_of([&] { fill(context, {dim("n")}, 1); }) ==
        "fill 'fill' (HERE): [n] holds a symbol, and the extents of arrays are numbers");
  eager::Context other({.threads = 1});
  CHECK(message_of([&] { x + other.scalar(1.0f); }).find("of another context or graph") != std::string::npos);
}

TEST_CASE("a moved array is empty, and using it says so with the line") {
  eager::Context context({.threads = 1});
  Value x = context.array<float>({2}, {1, 2});
  const Value y = std::move(x);
  CHECK(x.empty());
  CHECK(message_of([&] { exp(x); }) == "exp (HERE): an input is an empty Value, never set or moved from");
  CHECK(message_of([&] { x + y; }).find("an operand is an empty Value") != std::string::npos);
  CHECK(message_of([&] { y + x; }) == "add (HERE): an input is an empty Value, never set or moved from");
  CHECK(message_of([&] { Array array(x); }).find("is an empty Value, never set or moved from") != std::string::npos);
  CHECK(message_of([&] { x.shape(); }) == "an empty Value was used, never set or moved from");
}

TEST_CASE("a variable is assigned in place, and what was computed from it stays") {
  eager::Context context({.threads = 1});
  const Variable w = variable(context, "w", Tensor::from<float>({2}, {1, 2}));
  const Array doubled = w * 2;
  const Array before = identity(w.value);
  assign(w, doubled);
  assign_add(w, context.scalar(0.5f));
  CHECK(floats(w.value) == std::vector<float>{2.5, 4.5});
  CHECK(floats(doubled) == std::vector<float>{2, 4});
  CHECK(floats(before) == std::vector<float>{1, 2});
  CHECK(message_of([&] {
          assign(w, context.array<float>({3}, {1, 2, 3}));
        }).find("variable 'w' is f32 [2]") != std::string::npos);
  CHECK(message_of([&] { assign(doubled, before); }).find("is not a variable") != std::string::npos);
}

TEST_CASE("random ops draw anew at each call, and the same again after the same seed") {
  eager::Context context({.threads = 1});
  context.set_seed(7);
  const Tensor first = Array(random_normal(context, {5})).tensor();
  const Tensor second = Array(random_normal(context, {5})).tensor();
  CHECK_FALSE(first == second);
  context.set_seed(7);
  CHECK(Array(random_normal(context, {5})).tensor() == first);
  CHECK(Array(random_normal(context, {5})).tensor() == second);
}

TEST_CASE("a context may assert that all that is computed is finite") {
  eager::Context context({.threads = 1, .assert_all_finite = true});
  const Value x = context.array<float>({2, 2}, {1, 2, 0, 4});
  CHECK(message_of([&] { 1 / x; }) == "div (HERE): element [1, 0] is infinity");
  CHECK(message_of([&] { log(sum(x) - 8); }) == "log (HERE): its value is NaN");
  CHECK(floats(x / 2) == std::vector<float>{0.5, 1, 0, 2});
}

TEST_CASE("print shows an array when it is called, and hands it on") {
  std::vector<std::string> lines;
  eager::Context context({.threads = 1, .print = [&](std::string_view line) { lines.emplace_back(line); }});
  const Array x = context.array<float>({2}, {1, 2});
  CHECK(floats(print(x, "x")) == std::vector<float>{1, 2});
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("x: f32 [2]"));
}
