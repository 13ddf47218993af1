#include <lathe/graph/passes/simplify.h>

#include <doctest/doctest.h>

#include <lathe/graph/text.h>

#include "../../support/golden.h"
#include "../test_ops.h"

using namespace lathe;
using test::apply;

namespace {

const Op swinging{{.name = "test_swinging",
                   .doc = "For tests: has a rule that always applies.",
                   .min_inputs = 1,
                   .max_inputs = 1,
                   .infer = test::like_first,
                   .not_differentiable = test::no_gradient,
                   .rewrites = {{"swing", [](const RewriteContext& context) -> std::optional<Value> {
                                   return context.graph.apply({.op = context.op, .inputs = {context.inputs[0]}});
                                 }}}}};

const Op retyped{{.name = "test_retyped",
                  .doc = "For tests: has a rule whose result has another type.",
                  .min_inputs = 1,
                  .max_inputs = 1,
                  .infer = test::like_first,
                  .not_differentiable = test::no_gradient,
                  .rewrites = {{"retype", [](const RewriteContext& context) -> std::optional<Value> {
                                  return test::input(context.graph, "other", {7});
                                }}}}};

}  // namespace

TEST_CASE("rewrites apply until none does, and never change a bit, a name or an effect") {
  test::check_golden("simplify.txt", simplify);
}

TEST_CASE("a graph to which no rule applies stays as it is") {
  const Graph graph = parse_text(
      "%0 = placeholder() {dtype = f32, shape = [n]}\n"
      "%1 = neg(%0)\n"
      "%2 = exp(%1)\n"
      "output y = %2\n");
  CHECK(same_structure(simplify(graph), graph));
}

TEST_CASE("a rule that applies without end is our own bug, and named") {
  Graph g;
  test::deliver(g, {apply(swinging, {test::input(g, "x", {})})});
  try {
    simplify(g);
    FAIL("an endless rule ended");
  } catch (const std::logic_error& error) {
    CHECK(std::string(error.what()).ends_with("rewrite 'swing' applies without end"));
  }
}

TEST_CASE("a rule whose result has another type is our own bug, and names the node") {
  Graph g;
  test::deliver(g, {apply(retyped, {test::input(g, "x", {})}, SourceLine("model.cpp", 3))});
  try {
    simplify(g);
    FAIL("a wrong type passed");
  } catch (const std::logic_error& error) {
    CHECK(std::string(error.what()).find("test_retyped 'test_retyped' (model.cpp:3) of type f32 []") !=
          std::string::npos);
  }
}
