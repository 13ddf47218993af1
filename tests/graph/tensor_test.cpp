#include <lathe/graph/tensor.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include <doctest/doctest.h>

using namespace lathe;

TEST_CASE("a new tensor is zero and aligned to 64 bytes") {
  for (const Extents& shape : std::vector<Extents>{{}, {0}, {3}, {5, 7}}) {
    const Tensor tensor(f32, shape);
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.bytes().data()) % 64 == 0);
    for (const float element : tensor.data<float>()) CHECK(element == 0);
  }
}

TEST_CASE("a tensor that is large enough for huge pages begins with one") {
  constexpr std::int64_t page = std::int64_t{2} << 20;
  Tensor large(DType::u8, {page + 1});
  const auto place = [](const Tensor& tensor) { return reinterpret_cast<std::uintptr_t>(tensor.bytes().data()); };
  CHECK(place(large) % page == 0);
  large.data<std::uint8_t>()[page] = 7;
  const Tensor copy = large;
  CHECK(place(copy) % page == 0);
  CHECK(copy == large);
  large.resize(std::array<std::int64_t, 1>{3});
  CHECK(place(large) % page == 0);  // shrinking keeps the memory
  const Tensor small = large;
  CHECK(small.size() == 3);
}

TEST_CASE("tensors of many pages begin at different places within a page") {
  const auto place_of = [](const Tensor& tensor) {
    return reinterpret_cast<std::uintptr_t>(tensor.bytes().data()) % 4096;
  };
  const Tensor a(f32, {784, 128});
  const Tensor b(f32, {784, 128});
  const Tensor c = b;
  CHECK(place_of(a) % 64 == 0);
  CHECK(place_of(a) != place_of(b));
  CHECK(place_of(a) != place_of(c));
  CHECK(place_of(b) != place_of(c));
  Tensor moved = Tensor(f32, {784, 128});
  moved = Tensor(f32, {3});
  CHECK(moved.size() == 3);
}

TEST_CASE("a tensor holds what it was made from") {
  const Tensor tensor = Tensor::from<std::int32_t>({2, 2}, {1, 2, 3, -4});
  CHECK(tensor.dtype() == i32);
  CHECK(tensor.type() == TensorType{i32, {2, 2}});
  CHECK(tensor.size() == 4);
  CHECK(tensor.bytes().size() == 16);
  CHECK(tensor.at(3) == -4);
  CHECK(Tensor::scalar(true).item<bool>());
}

TEST_CASE("copies are deep") {
  Tensor a = Tensor::from<float>({2}, {1, 2});
  Tensor b = a;
  b.data<float>()[0] = 9;
  CHECK(a.at(0) == 1);
  a = b;
  CHECK(a.at(0) == 9);
  const Tensor& self = a;
  a = self;
  CHECK(a.at(1) == 2);
}

TEST_CASE("tensors are equal by dtype, shape and bits") {
  const auto row = Tensor::from<float>({1, 2}, {1, 2});
  CHECK(row == Tensor::from<float>({1, 2}, {1, 2}));
  CHECK_FALSE(row == Tensor::from<float>({2, 1}, {1, 2}));
  CHECK_FALSE(row == Tensor::from<double>({1, 2}, {1, 2}));
  CHECK_FALSE(Tensor::scalar(0.0f) == Tensor::scalar(-0.0f));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(Tensor::scalar(nan) == Tensor::scalar(nan));
}

TEST_CASE("a wrong element type, count or index throws and says so") {
  const auto tensor = Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK_THROWS_WITH_AS((void)tensor.data<double>(), "a tensor of f32 cannot be read as f64", RunError);
  CHECK_THROWS_WITH_AS((void)tensor.item<float>(), "a tensor of shape [2, 3] holds 6 elements, not 1", RunError);
  CHECK_THROWS_WITH_AS(Tensor::from<float>({3}, {1, 2}), "a tensor of shape [3] holds 3 elements, not 2", RunError);
  CHECK_THROWS_WITH_AS((void)tensor.at(6), "element 6 of a tensor of shape [2, 3]", RunError);
  CHECK_THROWS_AS((void)tensor.at(-1), RunError);
}

TEST_CASE("impossible shapes throw before any memory is asked for") {
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_WITH_AS(Tensor(f32, {2, -1}), "a tensor cannot have shape [2, -1]", RunError);
  CHECK_THROWS_AS(Tensor(f32, {0, -1}), RunError);
  CHECK_THROWS_AS(Tensor(f64, {huge}), RunError);
  CHECK_THROWS_AS(Tensor(u8, {huge, huge}), RunError);
}

TEST_CASE("resizing allocates only beyond what the tensor has held") {
  Tensor tensor(f32, {8, 4});
  const auto* before = tensor.bytes().data();
  tensor.resize(Extents{3, 4});
  CHECK(tensor.shape() == Extents{3, 4});
  CHECK(tensor.bytes().size() == 48);
  tensor.resize(Extents{4, 8});
  CHECK(tensor.bytes().data() == before);
  tensor.resize(Extents{100, 100});
  CHECK(tensor.size() == 10000);
  CHECK_THROWS_AS(tensor.resize(Extents{-1}), RunError);
  CHECK(tensor.size() == 10000);
}

TEST_CASE("a copy of a tensor that shrank holds what is left") {
  Tensor tensor(f32, {8});
  tensor.resize(Extents{2});
  tensor.data<float>()[1] = 5;
  Tensor copy = tensor;
  CHECK(copy == tensor);
  copy.resize(Extents{8});
  CHECK(copy.size() == 8);
}

TEST_CASE("a view borrows") {
  Tensor tensor = Tensor::from<std::uint8_t>({3}, {1, 2, 3});
  const TensorView view = tensor;
  CHECK(view.dtype == u8);
  CHECK(view.shape.size() == 1);
  CHECK(view.data == tensor.bytes().data());
}

TEST_CASE("printing shows the type and the first elements") {
  CHECK(to_string(Tensor::from<float>({2}, {1, 2.5f})) == "f32 [2] {1, 2.5}");
  CHECK(to_string(Tensor(i32, {3, 3})) == "i32 [3, 3] {0, 0, 0, 0, 0, 0, 0, 0, ...}");
  CHECK(to_string(Tensor(f32, {0})) == "f32 [0] {}");
}
