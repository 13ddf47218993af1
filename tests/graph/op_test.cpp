#include <lathe/graph/op.h>

#include <algorithm>

#include <doctest/doctest.h>

#include "test_ops.h"

using namespace lathe;

TEST_CASE("ops are found by name") {
  CHECK(find_op("test_neg") == &test::neg);
  CHECK(find_op("no such op") == nullptr);
  const auto ops = all_ops();
  CHECK(std::count(ops.begin(), ops.end(), &test::neg) == 1);
  CHECK(std::is_sorted(ops.begin(), ops.end(), [](const Op* a, const Op* b) { return a->name < b->name; }));
}

TEST_CASE("two ops cannot share a name, and each has a gradient or says why not") {
  CHECK_THROWS_AS(Op({.name = "test_neg", .doc = "For tests.", .not_differentiable = "no"}), std::logic_error);
  CHECK_THROWS_AS(Op({.name = "test_without_gradient", .doc = "For tests."}), std::logic_error);
  CHECK(find_op("test_without_gradient") == nullptr);
}

TEST_CASE("only functions of their inputs are pure") {
  for (const Kind kind : {Kind::constant, Kind::elementwise, Kind::view, Kind::reduction, Kind::contraction,
                          Kind::gather, Kind::scatter}) {
    CAPTURE(to_string(kind));
    CHECK(is_pure(kind));
  }
  for (const Kind kind : {Kind::placeholder, Kind::variable, Kind::assign, Kind::random, Kind::effect, Kind::host}) {
    CAPTURE(to_string(kind));
    CHECK_FALSE(is_pure(kind));
    CHECK(has_effect(kind) == (kind == Kind::assign || kind == Kind::effect || kind == Kind::host));
  }
}
