#include <lathe/graph/verify.h>

#include <doctest/doctest.h>

#include "test_ops.h"

using namespace lathe;
using test::apply;

namespace {

/// x -> neg -> add, and a second input; the last node's faults are what the tests are after.
struct Sound {
  Graph graph;
  Value x, y, z;

  Sound() {
    x = test::input(graph, "x", {dim("n")}, SourceLine("model.cpp", 1));
    y = apply(test::neg, {x}, SourceLine("model.cpp", 2));
    z = apply(test::add, {x, y}, SourceLine("model.cpp", 3));
    test::deliver(graph, {z});
  }
  Node& last() { return test::open(graph, z.id().node); }

  /// What verify() finds, without the place in our own code.
  std::string fault() const {
    try {
      verify(graph);
    } catch (const std::logic_error& error) {
      const std::string text = error.what();
      return text.substr(text.find("): ") + 3);
    }
    return "";
  }
};

const std::string z_text = "test_add 'test_add' (model.cpp:3)";

/// What the op below says its outputs are.
std::vector<TensorType> moody_types{{f32, {}}};

const Op moody{{.name = "test_moody",
                .doc = "For tests.",
                .infer = [](const InferContext&) { return moody_types; },
                .not_differentiable = test::no_gradient}};

}  // namespace

TEST_CASE("a graph that the API built is sound") {
  CHECK(Sound().fault().empty());
  verify(Graph());
}

TEST_CASE("wrong numbers of inputs are found") {
  Sound sound;
  sound.last().inputs.pop_back();
  CHECK(sound.fault() == z_text + " has 1 inputs");
}

TEST_CASE("inputs and control nodes outside the graph are found") {
  Sound sound;
  sound.last().inputs[0].node = NodeId{77};
  CHECK(sound.fault() == z_text + " has an input outside the graph");
  Sound other;
  other.last().control = {NodeId{77}};
  CHECK(other.fault() == z_text + " has a control node outside the graph");
}

TEST_CASE("circles are found and their nodes named") {
  Sound sound;
  test::open(sound.graph, sound.y.id().node).inputs = {sound.z.id()};
  CHECK(sound.fault() == "nodes depend on each other in a circle: test_neg, test_add");
}

TEST_CASE("a node before what it uses is found, without a circle too") {
  Sound sound;
  const Value late = test::input(sound.graph, "late", {});
  sound.last().inputs[1] = late.id();
  CHECK(sound.fault() == z_text + " input 1 is not an earlier node");
  Sound other;
  const Value after = test::input(other.graph, "late", {});
  other.last().control = {after.id().node};
  CHECK(other.fault() == z_text + " a control node is not an earlier node");
}

TEST_CASE("uses of outputs that a node does not have are found") {
  Sound sound;
  sound.last().inputs[0].output = 1;
  CHECK(sound.fault() == z_text + " uses output 1 of test_placeholder 'x' (model.cpp:1), which has 1");
}

TEST_CASE("unknown and missing attributes are found") {
  Sound sound;
  sound.last().attributes.set("speed", 1.0);
  CHECK(sound.fault() == z_text + " has an unknown attribute 'speed'");
  Sound other;
  test::open(other.graph, other.x.id().node).attributes = {{"dtype", f32}};
  CHECK(other.fault() == "test_placeholder 'x' (model.cpp:1) lacks attribute 'shape'");
}

TEST_CASE("names that are not unique or cannot be found are found") {
  Sound sound;
  sound.last().name = "x";
  CHECK(sound.fault() == "test_add 'x' (model.cpp:3) shares its name with another node");
  Sound other;
  other.last().name = "nowhere";
  CHECK(other.fault() == "test_add 'nowhere' (model.cpp:3) cannot be found by its name");
}

TEST_CASE("a gradient node of nothing is found") {
  Sound sound;
  sound.last().forward = "";
  CHECK(sound.fault() == z_text + ", in the gradient of '' is the gradient of a node without a name");
}

TEST_CASE("a wrong index of users is found from both sides") {
  Sound sound;
  const NodeId joined = apply(test::concat, {sound.x, sound.y}, SourceLine("model.cpp", 4)).id().node;
  test::open(sound.graph, joined).inputs.pop_back();
  CHECK(sound.fault() ==
        "test_neg 'test_neg' (model.cpp:2) is not used by test_concat 'test_concat' (model.cpp:4), though listed so");
  Sound other;
  other.last().control = {other.x.id().node};
  CHECK(other.fault() == z_text + " is not among the users of test_placeholder 'x' (model.cpp:1)");
}

TEST_CASE("types other than the type rules' are found") {
  Sound sound;
  sound.last().outputs[0].dtype = f64;
  CHECK(sound.fault() == z_text + " is of type f64 [n], its type rule says f32 [n]");
}

TEST_CASE("a type rule that changed its mind is found") {
  Graph g;
  g.add({.op = moody, .where = SourceLine("model.cpp", 9)});
  verify(g);
  moody_types = {{f32, {}}, {f32, {2}}};
  CHECK_THROWS_AS(verify(g), std::logic_error);
  moody_types = {{f32, {}}};
}

TEST_CASE("types that hold only if extents are equal that the graph tells apart are found") {
  Sound sound;
  test::open(sound.graph, sound.x.id().node).attributes.set("shape", Shape{dim("k")});
  CHECK_FALSE(sound.fault().empty());
  Graph g;
  const Value a = test::input(g, "a", {2, dim("p")});
  const Value b = test::input(g, "b", {dim("q"), 3});
  apply(test::matmul, {a, b});
  verify(g);
  g.adopt_symbols({}, {});
  CHECK_THROWS_AS(verify(g), std::logic_error);
}
