#include <lathe/runtime/value_ref.h>

#include <doctest/doctest.h>

#include <lathe/ops/concat.h>
#include <lathe/ops/math.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

using namespace lathe;

TEST_CASE("a value is meant by its handle, its name, or its node's name and output") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {4});
  const Values parts = split(x, 0, 2);
  CHECK(resolve(g, x, "fetch") == x.id());
  CHECK(resolve(g, "x", "fetch") == x.id());
  CHECK(resolve(g, std::string("x:0"), "fetch") == x.id());
  CHECK(resolve(g, parts[1].name(), "fetch") == parts[1].id());
  const Variable v = variable(g, "v", x);
  CHECK(resolve(g, v, "fetch") == v.value.id());
}

TEST_CASE("an unknown name is an error with the nearest name there is") {
  Graph g;
  placeholder(g, "images", f32, {4});
  placeholder(g, "labels", f32, {4});
  CHECK_THROWS_WITH_AS(resolve(g, "image", "feed"),
                       "feed 'image': the graph has nothing of that name; did you mean 'images'?", RunError);
  CHECK_THROWS_WITH_AS(resolve(g, "probabilities", "fetch"),
                       "fetch 'probabilities': the graph has nothing of that name", RunError);
}

TEST_CASE("an output that a node does not have is an error") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {4});
  CHECK_THROWS_WITH_AS(resolve(g, "x:1", "fetch"),
                       ("fetch 'x:1': " + describe(x.node()) + " has 1 output, counted from 0").c_str(), RunError);
}

TEST_CASE("a value that is empty or of another graph is an error") {
  Graph g;
  Graph other;
  const Value foreign = placeholder(other, "foreign", f32, {4});
  CHECK_THROWS_WITH_AS(resolve(g, foreign, "fetch"), "fetch 'foreign' belongs to another graph than the session's",
                       RunError);
  CHECK_THROWS_WITH_AS(resolve(g, Value(), "feed"), "a feed is an empty Value", RunError);
}

TEST_CASE("the nearest name is one that few letters make, and none if none is near") {
  const std::vector<std::string> names{"loss", "accuracy", "logits"};
  CHECK(nearest_name("los", names) == "loss");
  CHECK(nearest_name("acuracy", names) == "accuracy");
  CHECK(nearest_name("lgoits", names) == "logits");
  CHECK(nearest_name("banana", names).empty());
  CHECK(nearest_name("", names).empty());
}
