#include <lathe/graph/attribute.h>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace lathe;

namespace {

std::shared_ptr<const Tensor> shared(Tensor tensor) {
  return std::make_shared<const Tensor>(std::move(tensor));
}

/// One or two of each kind, all different.
std::vector<Attribute> different() {
  return {true,
          false,
          std::int64_t{1},
          std::int64_t{0},
          1.0,
          0.0,
          -0.0,
          std::string("f32"),
          f32,
          Extents{1, 2},
          Shape{1, 2},
          Shape{dim("n"), 2},
          shared(Tensor::from<float>({2}, {1, 2})),
          shared(Tensor::from<float>({1, 2}, {1, 2})),
          shared(Tensor::from<std::int32_t>({2}, {1, 2}))};
}

}  // namespace

TEST_CASE("attributes are the same by kind and value") {
  const auto all = different();
  const auto again = different();
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < all.size(); ++j) {
      CAPTURE(i);
      CAPTURE(j);
      CHECK(same_attribute(all[i], again[j]) == (i == j));
    }
    CHECK(hash_of(all[i]) == hash_of(again[i]));
  }
}

TEST_CASE("not-a-number is the same as itself") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(same_attribute(nan, nan));
  CHECK(hash_of(nan) == hash_of(nan));
}

TEST_CASE("attributes are kept by name, whatever the order in which they were set") {
  Attributes a{{"b", true}, {"a", std::int64_t{1}}};
  Attributes b;
  b.set("a", std::int64_t{1});
  b.set("b", false);
  CHECK_FALSE(a == b);
  b.set("b", true);
  CHECK(a == b);
  CHECK(a.size() == 2);
  CHECK(a.begin()->first == "a");
  CHECK(a.get<bool>("b"));
  CHECK(a.find("c") == nullptr);
}

TEST_CASE("asking for a missing attribute or a wrong kind is an error that names it") {
  const Attributes attributes{{"axis", std::int64_t{1}}};
  CHECK_THROWS_WITH_AS((void)attributes.get<bool>("axis"), "attribute 'axis' is missing or of the wrong kind",
                       GraphError);
  CHECK_THROWS_AS((void)attributes.get<bool>("keep"), GraphError);
}

TEST_CASE("every kind of attribute has a name for messages") {
  CHECK(kind_of(true) == "bool");
  CHECK(kind_of(std::int64_t{1}) == "integer");
  CHECK(kind_of(1.0) == "number");
  CHECK(kind_of(std::string()) == "string");
  CHECK(kind_of(f32) == "dtype");
  CHECK(kind_of(Extents{}) == "extents");
  CHECK(kind_of(Shape{}) == "shape");
  CHECK(kind_of(shared(Tensor())) == "tensor");
}
