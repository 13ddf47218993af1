#include <lathe/runtime/extract.h>

#include <doctest/doctest.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/concat.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

using namespace lathe;

namespace {

std::vector<ValueId> ids(const Values& values) {
  std::vector<ValueId> ids;
  for (const Value& value : values) ids.push_back(value.id());
  return ids;
}

Extraction extract(const Graph& graph, const Values& fetches, const Values& feeds = {}) {
  return lathe::extract(graph, ids(fetches), ids(feeds));
}

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const NodeId id : graph.node_ids()) names.push_back(graph.node(id).name);
  return names;
}

}  // namespace

TEST_CASE("only what the fetches need is extracted") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value y = x + 1.0f;
  const Value unrelated = placeholder(g, "unrelated", f32, {3});
  square(unrelated);
  const Extraction e = extract(g, {y}, {x});
  CHECK_FALSE(e.graph.find("unrelated").has_value());
  CHECK(e.graph.size() == 3);
  REQUIRE(e.graph.outputs().size() == 1);
  CHECK(e.graph.outputs()[0].name == y.name());
  CHECK(e.graph.type(e.graph.outputs()[0].value) == TensorType{f32, {dim("n")}});
  CHECK(e.inputs.at("x") == x.id());
}

TEST_CASE("a fed value is a placeholder of its type, and what made it falls away") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 4});
  const Value middle = square(x);
  const Value y = middle + 1.0f;
  const Extraction e = extract(g, {y}, {middle});
  CHECK_FALSE(e.graph.find("x").has_value());
  const auto placed = e.graph.find(middle.name());
  REQUIRE(placed.has_value());
  CHECK(e.graph.node(*placed).op->kind == Kind::placeholder);
  CHECK(e.graph.node(*placed).outputs[0] == TensorType{f32, {dim("n"), 4}});
  CHECK(e.graph.node(*placed).where.line == middle.node().where.line);
  CHECK(e.inputs.at(middle.name()) == middle.id());
}

TEST_CASE("feeding one output of a node leaves its others computed") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {4});
  const Values parts = split(x, 0, 2);
  const Extraction e = extract(g, {parts[0], parts[1]}, {x, parts[1]});
  REQUIRE(e.graph.outputs().size() == 2);
  CHECK(e.graph.node(e.graph.outputs()[0].value.node).op->kind != Kind::placeholder);
  CHECK(e.graph.node(e.graph.outputs()[1].value.node).op->kind == Kind::placeholder);
}

TEST_CASE("a fetched feed is its placeholder") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2});
  const Extraction e = extract(g, {x}, {x});
  CHECK(e.graph.size() == 1);
}

TEST_CASE("fetching a value twice gives two outputs with names of their own") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2});
  const Extraction e = extract(g, {x, x}, {x});
  REQUIRE(e.graph.outputs().size() == 2);
  CHECK(e.graph.outputs()[0].value == e.graph.outputs()[1].value);
  CHECK(e.graph.outputs()[0].name == "x");
  CHECK(e.graph.outputs()[1].name == "x#2");
}

TEST_CASE("a placeholder that is needed and not fed is an error that says who needs it") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2});
  const Value y = square(x);
  const std::string line = describe(x.node());
  CHECK_THROWS_WITH_AS(extract(g, {y}), (line + " is not fed, and " + describe(y.node()) + " needs it").c_str(),
                       RunError);
  CHECK_THROWS_WITH_AS(extract(g, {x}), (line + " is not fed, and it is fetched").c_str(), RunError);
}

TEST_CASE("the run's seed need not be fed") {
  Graph g;
  const Value seed = run_seed(g);
  const Extraction e = extract(g, {seed + 1});
  REQUIRE(e.inputs.contains("run_seed"));
  CHECK_FALSE(e.inputs.at("run_seed").has_value());
  CHECK(extract(g, {seed + 1}, {seed}).inputs.at("run_seed") == seed.id());
}

TEST_CASE("control dependencies come along, but not those on placeholders") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2});
  const Value other = placeholder(g, "other", f32, {2});
  const Variable v = variable(g, "v", Tensor(f32, {2}));
  const Value update = assign(v, x);
  const Value y = with_dependencies(x, {update, other});
  const Extraction e = extract(g, {y}, {x});
  CHECK(e.graph.find(update.name()).has_value());
  CHECK(e.variables.at("v") == v.value.id().node);
  CHECK_FALSE(e.graph.find("other").has_value());
}

TEST_CASE("feeding a variable replaces what reads it, not what it is assigned") {
  Graph g;
  const Variable v = variable(g, "v", Tensor(f32, {2}));
  const Value update = assign_add(v, constant(g, Tensor(f32, {2})));
  const Extraction e = extract(g, {update}, {v});
  REQUIRE(e.variables.contains("v"));
  const auto target = e.graph.find("v");
  REQUIRE(target.has_value());
  CHECK(e.graph.node(*target).op->kind == Kind::variable);
  CHECK(e.graph.node(*e.graph.find(update.name())).inputs[0].node == *target);
  CHECK(e.inputs.size() == 1);
  CHECK(e.inputs.begin()->second == v.value.id());
}

TEST_CASE("initializers see the initial values of other variables") {
  Graph g;
  const Variable a = variable(g, "a", Tensor::from<float>({1}, {3}));
  const Variable b = variable(g, "b", a.value * 2.0f);
  assign(a, b);
  const Extraction e = extract_initializers(g);
  CHECK(e.variables.size() == 2);
  const auto product = e.graph.find(g.node(b.initializer.node().inputs[1].node).name);
  REQUIRE(product.has_value());
  CHECK(e.graph.node(e.graph.node(*product).inputs[0].node).name == a.initializer.name());
  const std::vector<std::string> names = node_names(e.graph);
  CHECK(std::find(names.begin(), names.end(), "assign") == names.end());
}
