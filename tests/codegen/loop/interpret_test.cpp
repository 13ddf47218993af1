#include <cmath>
#include <limits>
#include <random>

#include <doctest/doctest.h>

#include "program_builder.h"

using namespace lathe;
using namespace lathe::loop;
using test::ProgramBuilder;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

template <Element T>
std::vector<T> values(const Tensor& tensor) {
  return {tensor.data<T>().begin(), tensor.data<T>().end()};
}

Tensor random_floats(Extents shape, unsigned seed) {
  Tensor out(f32, std::move(shape));
  std::mt19937 engine(seed);
  for (float& value : out.data<float>()) value = std::uniform_real_distribution<float>(-1, 1)(engine);
  return out;
}

/// Applies `f` to every element of a vector.
template <Element To, Element From, class F>
std::vector<To> map(const std::vector<From>& in, const F& f) {
  ProgramBuilder b;
  const auto n = static_cast<std::int64_t>(in.size());
  const TensorId x = b.input("x", {*dtype_of<From>, {n}});
  const TensorId y = b.output("y", {*dtype_of<To>, {n}});
  const AxisId i = b.pool().make_axis(n, "i");
  Kernel kernel = test::kernel("map", {i});
  kernel.stages.push_back({{}, {b.store(f(b.load(x, {b.index(i)})), y, {b.index(i)})}});
  b.program.steps.emplace_back(kernel);
  Tensor input(*dtype_of<From>, {n});
  std::copy(in.begin(), in.end(), input.data<From>().begin());
  return values<To>(b.run({input}).outputs[0]);
}

/// Applies a binary operator to pairs.
template <Element To, Element From>
std::vector<To> zip(BinaryOp op, const std::vector<From>& a, const std::vector<From>& b) {
  ProgramBuilder p;
  const auto n = static_cast<std::int64_t>(a.size());
  const TensorId x = p.input("x", {*dtype_of<From>, {n}});
  const TensorId y = p.input("y", {*dtype_of<From>, {n}});
  const TensorId z = p.output("z", {*dtype_of<To>, {n}});
  const AxisId i = p.pool().make_axis(n, "i");
  const Expr at = p.index(i);
  Kernel kernel = test::kernel("zip", {i});
  kernel.stages.push_back({{}, {p.store(p.pool().binary(op, p.load(x, {at}), p.load(y, {at})), z, {at})}});
  p.program.steps.emplace_back(kernel);
  const auto tensor = [&](const std::vector<From>& from) {
    Tensor out(*dtype_of<From>, {n});
    std::copy(from.begin(), from.end(), out.data<From>().begin());
    return out;
  };
  return values<To>(p.run({tensor(a), tensor(b)}).outputs[0]);
}

/// Reduces x along `shape`'s axes after the first; one result for each index of the first.
template <Element T>
std::vector<T> reduce_rows(ReduceOp op, const Tensor& x) {
  ProgramBuilder b;
  const Shape shape = to_shape(x.shape());
  const TensorId in = b.input("x", {x.dtype(), shape});
  const TensorId out = b.output("y", {x.dtype(), {shape[0]}});
  const AxisId row = b.pool().make_axis(shape[0], "i");
  std::vector<AxisId> axes;
  std::vector<Expr> at{b.index(row)};
  for (std::size_t d = 1; d < shape.size(); ++d) {
    axes.push_back(b.pool().make_axis(shape[d], "k"));
    at.push_back(b.index(axes.back()));
  }
  Kernel kernel = test::kernel("reduce", {row});
  kernel.stages.push_back({{}, {b.store(b.pool().reduce(op, axes, b.load(in, at)), out, {b.index(row)})}});
  b.program.steps.emplace_back(kernel);
  return values<T>(b.run({x}).outputs[0]);
}

}  // namespace

TEST_CASE("an element-wise kernel writes every element once, for symbolic extents down to none") {
  ProgramBuilder b;
  const Dim n = dim("interpret_n");
  b.program.symbols = {symbol("interpret_n")};
  const TensorId x = b.input("x", {f32, {n, 3}});
  const TensorId y = b.output("y", {f32, {n, 3}});
  const AxisId i = b.pool().make_axis(n, "i");
  const AxisId j = b.pool().make_axis(3, "j");
  const std::vector<Expr> at{b.index(i), b.index(j)};
  Kernel kernel = test::kernel("double", {i, j});
  kernel.stages.push_back({{}, {b.store(b.load(x, at) * 2 + 1, y, at)}});
  b.program.steps.emplace_back(kernel);

  CHECK(values<float>(b.run({Tensor::from<float>({2, 3}, {0, 1, 2, 3, 4, 5})}, {2}).outputs[0]) ==
        std::vector<float>{1, 3, 5, 7, 9, 11});
  CHECK(b.run({Tensor(f32, {0, 3})}, {0}).outputs[0].size() == 0);
}

TEST_CASE("a product and a sum round twice, an fma once") {
  const std::vector<float> in{1.0F + 0x1p-12F};
  const float twice = map<float>(in, [](Expr x) { return x * x - 1; })[0];
  const float once = map<float>(in, [](Expr x) { return fma(x, x, constant_like(x, -1)); })[0];
  CHECK(twice == 0x1p-11F);
  CHECK(once == 0x1p-11F + 0x1p-24F);
}

TEST_CASE("subnormal inputs and results are zeros of the same sign") {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const auto out = map<float>(std::vector<float>{0x1p-126F, -0x1p-126F, tiny}, [](Expr x) { return x * 0.5; });
  CHECK(out == std::vector<float>{0, 0, 0});
  CHECK(std::signbit(out[1]));
  CHECK(map<float>(std::vector<float>{-tiny}, [](Expr x) { return floor(x); })[0] == 0);
  CHECK_FALSE(map<bool>(std::vector<float>{tiny}, [](Expr x) { return x > 0.0; })[0]);
  CHECK(zip<float>(BinaryOp::max, std::vector<float>{tiny}, std::vector<float>{-1})[0] == 0);
  CHECK(zip<float>(BinaryOp::min, std::vector<float>{1}, std::vector<float>{tiny})[0] == 0);
}

TEST_CASE("a run leaves the caller's floating-point mode as it was") {
  map<float>(std::vector<float>{1}, [](Expr x) { return x * 0.5; });
  volatile float smallest = std::numeric_limits<float>::min();
  CHECK(smallest / 2 != 0);
}

TEST_CASE("max and min keep NaN, comparisons with NaN are false but for !=") {
  const std::vector<float> a{1, not_a_number, 2, not_a_number};
  const std::vector<float> b{2, 1, not_a_number, not_a_number};
  const auto larger = zip<float>(BinaryOp::max, a, b);
  CHECK(larger[0] == 2);
  for (std::size_t i = 1; i < 4; ++i) CHECK(std::isnan(larger[i]));
  const auto smaller = zip<float>(BinaryOp::min, a, b);
  CHECK(smaller[0] == 1);
  for (std::size_t i = 1; i < 4; ++i) CHECK(std::isnan(smaller[i]));
  CHECK(zip<bool>(BinaryOp::lt, a, b) == std::vector<bool>{true, false, false, false});
  CHECK(zip<bool>(BinaryOp::ge, a, b) == std::vector<bool>{false, false, false, false});
  CHECK(zip<bool>(BinaryOp::eq, a, b) == std::vector<bool>{false, false, false, false});
  CHECK(zip<bool>(BinaryOp::ne, a, b) == std::vector<bool>{true, true, true, true});
}

TEST_CASE("integers wrap; floor_div and mod round down; a zero divisor gives 0") {
  const std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
  using Ints = std::vector<std::int32_t>;
  CHECK(zip<std::int32_t>(BinaryOp::sub, Ints{lowest}, Ints{1}) == Ints{std::numeric_limits<std::int32_t>::max()});
  CHECK(zip<std::int32_t>(BinaryOp::mul, Ints{0x10001}, Ints{0x10001}) == Ints{0x20001});
  CHECK(zip<std::int32_t>(BinaryOp::floor_div, Ints{7, -7, 7, -7, 6, lowest, 5}, Ints{2, 2, -2, -2, -2, -1, 0}) ==
        Ints{3, -4, -4, 3, -3, lowest, 0});
  CHECK(zip<std::int32_t>(BinaryOp::mod, Ints{7, -7, 7, -7, 6, lowest, 5}, Ints{2, 2, -2, -2, -2, -1, 0}) ==
        Ints{1, 1, -1, -1, 0, 0, 0});
  CHECK(zip<float>(BinaryOp::mod, std::vector<float>{-7, 7}, std::vector<float>{2, -2}) == std::vector<float>{1, -1});
  CHECK(zip<std::uint8_t>(BinaryOp::add, std::vector<std::uint8_t>{250}, std::vector<std::uint8_t>{10}) ==
        std::vector<std::uint8_t>{4});
}

TEST_CASE("shifts to the right bring in zeros, and a shift by the width leaves nothing") {
  using Ints = std::vector<std::int32_t>;
  CHECK(zip<std::int32_t>(BinaryOp::shift_right, Ints{-1, -1, 16}, Ints{28, 32, 4}) == Ints{15, 0, 1});
  CHECK(zip<std::int32_t>(BinaryOp::shift_left, Ints{1, 3, 1}, Ints{31, 31, 40}) ==
        Ints{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::min(), 0});
}

TEST_CASE("casts to integers truncate and saturate, NaN becomes 0") {
  const std::vector<float> in{1.9F, -1.9F, 300, -5, not_a_number, infinity, -infinity, 3e9F};
  CHECK(map<std::int32_t>(in, [](Expr x) { return cast(i32, x); }) ==
        std::vector<std::int32_t>{1, -1, 300, -5, 0, INT32_MAX, INT32_MIN, INT32_MAX});
  CHECK(map<std::uint8_t>(in, [](Expr x) { return cast(u8, x); }) ==
        std::vector<std::uint8_t>{1, 0, 255, 0, 0, 255, 0, 255});
  CHECK(map<std::int64_t>(in, [](Expr x) { return cast(i64, x); }) ==
        std::vector<std::int64_t>{1, -1, 300, -5, 0, INT64_MAX, INT64_MIN, 3000000000});
  CHECK(map<bool>(in, [](Expr x) { return cast(boolean, x); }) == std::vector<bool>(8, true));
  CHECK(map<std::uint8_t>(std::vector<std::int32_t>{257, -1}, [](Expr x) { return cast(u8, x); }) ==
        std::vector<std::uint8_t>{1, 255});
  CHECK(map<float>(std::vector<bool>{true, false}, [](Expr x) { return cast(f32, x); }) == std::vector<float>{1, 0});
}

TEST_CASE("rounding goes half to even; bits move between floats and integers unchanged") {
  CHECK(map<float>(std::vector<float>{0.5F, 1.5F, -2.5F, 2.6F}, [](Expr x) { return round(x); }) ==
        std::vector<float>{0, 2, -2, 3});
  CHECK(map<std::int32_t>(std::vector<float>{1.0F, -0.0F}, [](Expr x) { return bitcast(i32, x); }) ==
        std::vector<std::int32_t>{0x3f800000, INT32_MIN});
  CHECK(map<float>(std::vector<std::int32_t>{0x40490fdb}, [](Expr x) { return bitcast(f32, x); }) ==
        std::vector<float>{3.14159274F});
  CHECK(map<bool>(std::vector<bool>{true, false}, [](Expr x) { return ~x; }) == std::vector<bool>{false, true});
}

TEST_CASE("a lookup takes its index modulo 16") {
  std::array<float, 16> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(10 * i);
  CHECK(map<float>(std::vector<std::int32_t>{0, 3, 15, 16, -1, INT32_MIN, INT32_MAX},
                   [&](Expr x) { return x.pool->lookup(table, x); }) == std::vector<float>{0, 30, 150, 0, 150, 0, 150});
}

TEST_CASE("a contraction is one chain of fused multiply-adds in ascending order, cut every 4096 indices") {
  for (const std::int64_t length : {std::int64_t{0}, std::int64_t{1}, std::int64_t{100}, contract_chunk,
                                    contract_chunk + 1, 2 * contract_chunk + 5}) {
    CAPTURE(length);
    const Tensor a = random_floats({2, length}, 1);
    const Tensor c = random_floats({length, 3}, 2);
    ProgramBuilder b;
    const TensorId x = b.input("x", a.type());
    const TensorId w = b.input("w", c.type());
    const TensorId y = b.output("y", {f32, {2, 3}});
    const AxisId i = b.pool().make_axis(2, "i");
    const AxisId j = b.pool().make_axis(3, "j");
    const AxisId k = b.pool().make_axis(length, "k");
    const Expr product = b.pool().reduce(ReduceOp::contract, {k}, b.load(x, {b.index(i), b.index(k)}),
                                         b.load(w, {b.index(k), b.index(j)}));
    Kernel kernel = test::kernel("matmul", {i, j});
    kernel.stages.push_back({{}, {b.store(product, y, {b.index(i), b.index(j)})}});
    b.program.steps.emplace_back(kernel);
    const Tensor out = b.run({a, c}).outputs[0];

    for (std::int64_t row = 0; row < 2; ++row) {
      for (std::int64_t column = 0; column < 3; ++column) {
        float total = 0;
        float chain = 0;
        for (std::int64_t at = 0; at < length; ++at) {
          if (at % contract_chunk == 0 && at > 0) {
            total = at == contract_chunk ? chain : total + chain;
            chain = 0;
          }
          chain = std::fma(a.data<float>()[static_cast<std::size_t>(row * length + at)],
                           c.data<float>()[static_cast<std::size_t>(at * 3 + column)], chain);
        }
        total = length <= contract_chunk ? chain : total + chain;
        CHECK(out.data<float>()[static_cast<std::size_t>(row * 3 + column)] == total);
      }
    }
  }
}

TEST_CASE("a sum runs in 16 lanes along its last axis, joined as a tree") {
  for (const std::int64_t length : {0, 1, 7, 16, 17, 100}) {
    CAPTURE(length);
    const Tensor x = random_floats({2, 3, length}, 3);
    const std::vector<float> sums = reduce_rows<float>(ReduceOp::sum, x);
    for (std::int64_t row = 0; row < 2; ++row) {
      float lanes[16] = {};
      for (std::int64_t at = 0; at < 3 * length; ++at) {
        lanes[(at % length) % 16] += x.data<float>()[static_cast<std::size_t>(row * 3 * length + at)];
      }
      for (int half = 8; half >= 1; half /= 2) {
        for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
      }
      CHECK(sums[static_cast<std::size_t>(row)] == lanes[0]);
    }
  }
}

TEST_CASE("f64 sums run in 8 lanes") {
  Tensor x(f64, {1, 21});
  for (std::size_t i = 0; i < 21; ++i) x.data<double>()[i] = std::sin(static_cast<double>(i) * 7) * 1e3;
  double lanes[8] = {};
  for (std::size_t i = 0; i < 21; ++i) lanes[i % 8] += x.data<double>()[i];
  const double expected =
      ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
  CHECK(reduce_rows<double>(ReduceOp::sum, x)[0] == expected);
}

TEST_CASE("reductions over nothing give the neutral element, and NaN reaches max and min") {
  const Tensor empty(f32, {1, 0});
  CHECK(reduce_rows<float>(ReduceOp::sum, empty)[0] == 0);
  CHECK(reduce_rows<float>(ReduceOp::prod, empty)[0] == 1);
  CHECK(reduce_rows<float>(ReduceOp::max, empty)[0] == -infinity);
  CHECK(reduce_rows<float>(ReduceOp::min, empty)[0] == infinity);
  CHECK(reduce_rows<std::int32_t>(ReduceOp::max, Tensor(i32, {1, 0}))[0] == INT32_MIN);
  CHECK_FALSE(reduce_rows<bool>(ReduceOp::any, Tensor(boolean, {1, 0}))[0]);
  CHECK(reduce_rows<bool>(ReduceOp::all, Tensor(boolean, {1, 0}))[0]);
  for (std::int64_t at = 0; at < 20; ++at) {
    Tensor x = random_floats({1, 20}, 4);
    x.data<float>()[static_cast<std::size_t>(at)] = not_a_number;
    CHECK(std::isnan(reduce_rows<float>(ReduceOp::max, x)[0]));
    CHECK(std::isnan(reduce_rows<float>(ReduceOp::min, x)[0]));
  }
}

TEST_CASE("stages pass values on through registers and rows: a softmax") {
  ProgramBuilder b;
  const TensorId x = b.input("x", {f32, {2, 5}});
  const TensorId y = b.output("y", {f32, {2, 5}});
  const AxisId i = b.pool().make_axis(2, "i");
  const AxisId c = b.pool().make_axis(5, "c");
  const AxisId k = b.pool().make_axis(5, "k");
  const LocalId row{0};
  const LocalId most{1};
  const LocalId sum{2};
  Kernel kernel = test::kernel("softmax", {i});
  kernel.locals = {{"z", f32, {5}}, {"m", f32, {}}, {"s", f32, {}}};
  const auto z = [&](AxisId axis) { return b.pool().local(row, f32, {b.index(axis).id}); };
  const Expr m = b.pool().local(most, f32, {});
  const Expr s = b.pool().local(sum, f32, {});
  kernel.stages.push_back({{c}, {b.keep(b.load(x, {b.index(i), b.index(c)}) * 2, row, {b.index(c)})}});
  kernel.stages.push_back({{}, {b.keep(b.pool().reduce(ReduceOp::max, {k}, z(k)), most)}});
  kernel.stages.push_back({{}, {b.keep(b.pool().reduce(ReduceOp::sum, {k}, z(k) - m), sum)}});
  kernel.stages.push_back({{c}, {b.store((z(c) - m) / s, y, {b.index(i), b.index(c)})}});
  b.program.steps.emplace_back(kernel);
  const Tensor out = b.run({Tensor::from<float>({2, 5}, {1, 2, 3, 4, 5, 9, 9, 9, 9, 1})}).outputs[0];
  CHECK(values<float>(out) == std::vector<float>{0.4F, 0.3F, 0.2F, 0.1F, 0, 0, 0, 0, 0, 1});
}

TEST_CASE("a stage evaluates all its yields before it writes any, so it updates in place") {
  ProgramBuilder b;
  const TensorId m = b.variable("m", Tensor::from<float>({2}, {1, 2}));
  const TensorId w = b.variable("w", Tensor::from<float>({2}, {10, 20}));
  const AxisId i = b.pool().make_axis(2, "i");
  const Expr moment = b.load(m, {b.index(i)});
  const Expr weight = b.load(w, {b.index(i)});
  Kernel kernel = test::kernel("swap", {i});
  kernel.stages.push_back({{}, {b.store(weight, m, {b.index(i)}), b.store(moment, w, {b.index(i)})}});
  b.program.steps.emplace_back(kernel);
  CHECK(b.run({}).code == 0);
  CHECK(values<float>(b.variables[0]) == std::vector<float>{10, 20});
  CHECK(values<float>(b.variables[1]) == std::vector<float>{1, 2});
}

TEST_CASE("a reduction may stand inside an expression and inside another reduction: arg max") {
  ProgramBuilder b;
  const TensorId x = b.input("x", {f32, {2, 4}});
  const TensorId y = b.output("y", {i64, {2}});
  const AxisId i = b.pool().make_axis(2, "i");
  const AxisId k = b.pool().make_axis(4, "k");
  const Expr element = b.load(x, {b.index(i), b.index(k)});
  const Expr largest = b.pool().reduce(ReduceOp::max, {k}, element);  // over the same axis as the outer one
  const Expr place = select(equal(element, largest), b.index(k), b.pool().extent(4));
  Kernel kernel = test::kernel("argmax", {i});
  kernel.stages.push_back({{}, {b.store(b.pool().reduce(ReduceOp::min, {k}, place) * 10, y, {b.index(i)})}});
  b.program.steps.emplace_back(kernel);
  CHECK(values<std::int64_t>(b.run({Tensor::from<float>({2, 4}, {1, 7, 7, 2, 4, 3, 2, 1})}).outputs[0]) ==
        std::vector<std::int64_t>{10, 0});
}

TEST_CASE("gather loads at computed positions, and an index outside its axis is our own error") {
  ProgramBuilder b;
  const TensorId table = b.constant("table", Tensor::from<float>({3}, {5, 6, 7}));
  const TensorId at = b.input("at", {i64, {2}});
  const TensorId y = b.output("y", {f32, {2}});
  const AxisId i = b.pool().make_axis(2, "i");
  Kernel kernel = test::kernel("gather", {i});
  kernel.stages.push_back({{}, {b.store(b.load(table, {b.load(at, {b.index(i)})}), y, {b.index(i)})}});
  b.program.steps.emplace_back(kernel);
  CHECK(values<float>(b.run({Tensor::from<std::int64_t>({2}, {2, 0})}).outputs[0]) == std::vector<float>{7, 5});
  CHECK_THROWS_AS(b.run({Tensor::from<std::int64_t>({2}, {3, 0})}), std::logic_error);
}

TEST_CASE("a failed check ends the run before later steps and reports the smallest check and index") {
  ProgramBuilder b;
  const TensorId labels = b.input("labels", {i64, {5}});
  const TensorId copy = b.arena("copy", {i64, {5}});
  const TensorId state = b.variable("state", Tensor::from<std::int64_t>({5}, {0, 0, 0, 0, 0}));
  const AxisId i = b.pool().make_axis(5, "i");
  const CheckId low = b.pool().make_check({"a", "label {detail} at row {index} is negative"});
  const CheckId high = b.pool().make_check({"b", "label {detail} at row {index} is too large"});
  const Expr label = b.load(labels, {b.index(i)});
  const Expr zero = b.pool().extent(0);
  const Expr checked = b.pool().check(high, label < b.pool().extent(10), label, b.index(i), label);
  const Expr both = b.pool().check(low, label >= zero, checked, b.index(i), label);
  Kernel kernel = test::kernel("check", {i});
  kernel.stages.push_back({{}, {b.store(both, copy, {b.index(i)})}});
  b.program.steps.emplace_back(kernel);
  b.program.steps.emplace_back(CommitStep{copy, state});

  CHECK(b.run({Tensor::from<std::int64_t>({5}, {1, 2, 3, 4, 5})}).code == 0);
  CHECK(b.failure.check == abi::no_check);
  CHECK(values<std::int64_t>(b.variables[0]) == std::vector<std::int64_t>{1, 2, 3, 4, 5});

  CHECK(b.run({Tensor::from<std::int64_t>({5}, {10, 2, -3, 4, -5})}).code == 1);
  CHECK(b.failure.check == static_cast<std::int64_t>(low));
  CHECK(b.failure.index == 2);
  CHECK(b.failure.detail == -3);
  CHECK(values<std::int64_t>(b.variables[0]) == std::vector<std::int64_t>{1, 2, 3, 4, 5});
}

TEST_CASE("scatter adds serially onto a copy of its base") {
  ProgramBuilder b;
  const TensorId base = b.input("base", {f32, {3}});
  const TensorId at = b.input("at", {i64, {4}});
  const TensorId out = b.output("out", {f32, {3}});
  const AxisId i = b.pool().make_axis(4, "i");
  const Expr value = cast(f32, b.index(i)) + 1;
  b.program.steps.emplace_back(ScatterKernel{"scatter", base, out, {i}, {b.load(at, {b.index(i)}).id}, value.id});
  const auto result = b.run({Tensor::from<float>({3}, {100, 200, 300}), Tensor::from<std::int64_t>({4}, {2, 0, 2, 2})});
  CHECK(values<float>(result.outputs[0]) == std::vector<float>{102, 200, 308});
}

TEST_CASE("a host step hands the tensor over with its step's number") {
  ProgramBuilder b;
  const TensorId x = b.input("x", {f32, {1}});
  b.program.steps.emplace_back(HostStep{"x = ", x});
  b.program.steps.emplace_back(HostStep{"again", x});
  std::vector<std::pair<std::int64_t, float>> seen;
  b.host = [](void* context, std::int64_t step, const void* data) {
    static_cast<decltype(seen)*>(context)->emplace_back(step, *static_cast<const float*>(data));
  };
  b.host_context = &seen;
  b.run({Tensor::from<float>({1}, {42})});
  CHECK(seen == decltype(seen){{0, 42.0F}, {1, 42.0F}});
  b.host = nullptr;
  CHECK(b.run({Tensor::from<float>({1}, {42})}).code == 0);
}
