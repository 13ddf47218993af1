#include <lathe/graph/text.h>

#include <bit>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "test_ops.h"

using namespace lathe;
using test::apply;

namespace {

std::shared_ptr<const Tensor> shared(Tensor tensor) {
  return std::make_shared<const Tensor>(std::move(tensor));
}

/// Takes one attribute of any kind.
const Op holder{{.name = "test_holder",
                 .doc = "For tests.",
                 .kind = Kind::view,
                 .attributes = {{"value", "", {}}},
                 .infer = [](const InferContext&) -> std::vector<TensorType> {
                   return {{f32, {}}};
                 },
                 .not_differentiable = test::no_gradient}};

std::string error_of(std::string_view text) {
  try {
    parse_text(text);
  } catch (const GraphError& error) {
    return error.what();
  }
  return "no GraphError";
}

const std::string_view two_inputs =
    "%0 = test_placeholder() {shape = [n, 3]}\n"
    "%1 = test_placeholder() {shape = [3, 4]}\n";

/// The fault in a third line after these two.
std::string error_after(std::string_view line) {
  return error_of(std::string(two_inputs) + std::string(line));
}

/// A graph with all that the text form holds.
Graph everything() {
  Graph g;
  const Dim fresh = g.fresh_symbol();
  g.next_stream();
  const Value x = test::input(g, "x", {fresh, 3}, SourceLine("model.cpp", 12));
  const Value w = test::input(g, "odd \"name\"\n", {dim("k"), dim("n") * 2 + 1}, SourceLine("my model.cpp", 13));
  Value y;
  {
    const Graph::Scope scope(g, "dense");
    y = apply(test::matmul, {x, w}, SourceLine("model.cpp", 14));
  }
  g.unify(fresh, dim("batch"));
  const NodeId pair = g.add({.op = test::twice, .inputs = {y}, .where = SourceLine(), .control = {}});
  const NodeId print = g.add({.op = test::print,
                              .inputs = {Value(g, {pair, 1}), x},
                              .where = SourceLine("model.cpp", 15),
                              .control = {y.id().node, pair}});
  const Graph::Origin origin(g, y.id().node);
  const Value dy = apply(test::neg, {y});
  g.set_outputs({{"loss", dy.id()}, {"the count", {pair, 1}}, {"printed", {print, 0}}});
  return g;
}

}  // namespace

TEST_CASE("the text form reads like the program that it stands for") {
  CHECK(to_text(everything()) ==
        "counters {symbols = 1, streams = 1}\n"
        "equal k = 3\n"
        "equal _0 = batch\n"
        "%0 = test_placeholder() {dtype = f32, shape = [_0, 3]} : f32 [batch, 3]   # x  model.cpp:12\n"
        "%1 = test_placeholder() {dtype = f32, shape = [k, 2*n + 1]} : f32 [3, 2*n + 1]   # \"odd \\\"name\\\"\\n\"  "
        "\"my model.cpp\":13\n"
        "%2 = test_matmul(%0, %1) : f32 [batch, 2*n + 1]   # dense/test_matmul  model.cpp:14\n"
        "%3 = test_twice(%2) : f32 [batch, 2*n + 1], i64 []   # test_twice\n"
        "%4 = test_print(%3:1, %0) after %2, %3 : bool []   # test_print  model.cpp:15\n"
        "%5 = test_neg(%2) : f32 [batch, 2*n + 1]   # test_neg  model.cpp:14  gradient of dense/test_matmul\n"
        "output loss = %5\n"
        "output \"the count\" = %3:1\n"
        "output printed = %4\n");
}

TEST_CASE("a printed graph parses back to an equal one") {
  const Graph g = everything();
  const Graph back = parse_text(to_text(g));
  CHECK(same_structure(g, back));
  CHECK(to_text(back) == to_text(g));
  CHECK(same_structure(Graph(), parse_text(to_text(Graph()))));
}

TEST_CASE("fresh symbols and streams of a parsed graph do not repeat those of the text") {
  Graph back = parse_text(to_text(everything()));
  CHECK(to_string(back.fresh_symbol()) == "_1");
  CHECK(back.next_stream() == 1);
}

TEST_CASE("every kind of attribute prints and parses back, bit for bit") {
  const double infinity = std::numeric_limits<double>::infinity();
  const float odd_nan = std::bit_cast<float>(0xffc00001u);
  const std::vector<std::pair<Attribute, std::string>> cases{
      {true, "true"},
      {false, "false"},
      {std::int64_t{-3}, "-3"},
      {std::numeric_limits<std::int64_t>::min(), "-9223372036854775808"},
      {1.0, "1.0"},
      {-0.0, "-0.0"},
      {0.1, "0.1"},
      {1e300, "1e+300"},
      {5e-324, "5e-324"},
      {1.0 / 3, "0.3333333333333333"},
      {infinity, "inf"},
      {-infinity, "-inf"},
      {std::numeric_limits<double>::quiet_NaN(), "nan"},
      {std::bit_cast<double>(0xfff8000000000000ull), "nan:0xfff8000000000000"},
      {std::string(), "\"\""},
      {std::string("a \"b\" \\ \n\t\x01 # é"), "\"a \\\"b\\\" \\\\ \\n\\t\\x01 # é\""},
      {f64, "f64"},
      {boolean, "bool"},
      {Extents{}, "()"},
      {Extents{0, -1}, "(0, -1)"},
      {Shape{}, "[]"},
      {Shape{2, dim("n") * dim("m") - 1}, "[2, m*n - 1]"},
      {Shape{None, 2}, "[?, 2]"},
      {shared(Tensor::scalar(2.5f)), "f32 [] {2.5}"},
      {shared(Tensor::from<float>({2, 2}, {-0.0f, 0.1f, odd_nan, std::numeric_limits<float>::infinity()})),
       "f32 [2, 2] {-0, 0.1, nan:0xffc00001, inf}"},
      {shared(Tensor::from<double>({1}, {0.1})), "f64 [1] {0.1}"},
      {shared(Tensor::from<bool>({2}, {true, false})), "bool [2] {true, false}"},
      {shared(Tensor::from<std::uint8_t>({2}, {0, 255})), "u8 [2] {0, 255}"},
      {shared(Tensor(i32, {0, 4})), "i32 [0, 4] {}"},
      {shared(Tensor::from<std::int64_t>({1}, {std::numeric_limits<std::int64_t>::max()})),
       "i64 [1] {9223372036854775807}"},
  };
  for (const auto& [attribute, text] : cases) {
    CAPTURE(text);
    Graph g;
    g.apply({.op = holder, .attributes = {{"value", attribute}}, .where = SourceLine()});
    CHECK(to_text(g) == "%0 = test_holder() {value = " + text + "} : f32 []   # test_holder\n");
    const Graph back = parse_text(to_text(g));
    CHECK(same_attribute(*back.node(NodeId{0}).attributes.find("value"), attribute));
  }
}

TEST_CASE("a person may leave out what follows from the rest") {
  const Graph g = parse_text(
      "# The sum of two inputs.\n"
      "\n"
      "  %10 = test_placeholder() { shape=[ n , 2*n ] } # x\n"
      "%20=test_placeholder(){shape=[n,2*n]}\r\n"
      "%30 = test_add( %10 ,%20 )\n"
      "output y = %30");
  CHECK(g.size() == 3);
  CHECK(g.find("x") == NodeId{0});
  CHECK(g.find("test_placeholder") == NodeId{1});
  CHECK(to_string(g.type({NodeId{2}, 0})) == "f32 [n, 2*n]");
  CHECK(g.node(NodeId{2}).where == SourceLine());
  CHECK(g.outputs()[0].value == ValueId{NodeId{2}, 0});
}

TEST_CASE("type rules learn from parsed graphs as from built ones") {
  const Graph g = parse_text(std::string(two_inputs) +
                             "%2 = test_placeholder() {shape = [k, m]}\n"
                             "%3 = test_matmul(%1, %2)\n");
  CHECK(g.equalities().size() == 1);
  CHECK(to_string(g.type({NodeId{2}, 0})) == "f32 [4, m]");
}

TEST_CASE("errors say where in the text they are") {
  CHECK(error_of("what\n") == "graph text, line 1, column 1: a node, 'output', 'equal' or 'counters' expected");
  CHECK(error_after("%2 = test_add(%0 %1)") == "graph text, line 3, column 18: ')' expected");
  CHECK(error_after("%2 = nonsense(%0)") == "graph text, line 3, column 1: there is no op 'nonsense'");
  CHECK(error_after("%1 = test_neg(%0)") == "graph text, line 3, column 1: %1 is defined twice");
  CHECK(error_after("%2 = test_neg(%7)") == "graph text, line 3, column 17: %7 is not defined yet");
  CHECK(error_after("%2 = test_neg(%0:1)") == "graph text, line 3, column 19: the node has 1 outputs");
  CHECK(error_after("%2 = test_neg(%0) : f64 [n, 3]") ==
        "graph text, line 3, column 19: f64 [n, 3] is written, the type is f32 [n, 3]");
  CHECK(error_after("%2 = test_neg(%0) : f32 [n, 3], f32 []") ==
        "graph text, line 3, column 19: 2 types are written, the node has 1 outputs");
  CHECK(error_after("%2 = test_neg(%0) : f16 [n, 3]").ends_with("there is no such dtype"));
  CHECK(error_after("%2 = test_neg(%0) # a b").ends_with("':' expected"));
  CHECK(error_after("%2 = test_neg(%0) # test_placeholder_1").ends_with("two nodes are called 'test_placeholder_1'"));
  CHECK(error_after("%2 = test_neg(%0) # a f.cpp:1 gradient of b c").ends_with("the line should end here"));
  CHECK(error_after("output y = %0 %1").ends_with("the line should end here"));
  CHECK(error_after("equal n = 3").ends_with("'equal' and 'counters' come before the first node"));
}

TEST_CASE("what a graph would refuse, its text is refused for, with the line") {
  CHECK(error_after("%2 = test_matmul(%1, %1)") ==
        "graph text, line 3, column 1: test_matmul 'test_matmul': inner dimensions differ");
  CHECK(error_after("%2 = test_neg() # dense/neg model.cpp:4") ==
        "graph text, line 3, column 1: test_neg 'dense/neg' (model.cpp:4): takes 1 input, 0 given");
}

TEST_CASE("faulty attributes are refused") {
  const auto error = [](const std::string& value) { return error_of("%0 = test_holder() {value = " + value + "}"); };
  const std::string place = "graph text, line 1, column ";
  CHECK(error("maybe") == place + "34: 'maybe' is no attribute");
  CHECK(error("\"open}") == place + "36: the closing '\"' is missing");
  CHECK(error("\"\\q\"").ends_with("an unknown escape"));
  CHECK(error("\"\\xg0\"").ends_with("two hexadecimal digits expected"));
  CHECK(error("[n +]").ends_with("'n +' is no extent"));
  CHECK(error("[99999999999999999999]").ends_with("is no extent"));
  CHECK(error("[9223372036854775807*2]").find("overflows 64 bits") != std::string::npos);
  CHECK(error("(n)").ends_with("an integer expected"));
  CHECK(error("f32 [2] {1}").ends_with("a tensor of shape [2] holds 2 elements, not 1"));
  CHECK(error("f32 [n] {1}").ends_with("a tensor's extents are numbers"));
  CHECK(error("u8 [1] {256}").ends_with("'256' is no u8"));
  CHECK(error("bool [1] {1}").ends_with("'1' is no bool"));
  CHECK(error("1, value = 2").ends_with("attribute 'value' is given twice"));
  CHECK(error("1").ends_with("no GraphError"));
}

TEST_CASE("equalities that contradict each other are refused") {
  CHECK(error_of("equal n = 3\nequal n = 4\n").ends_with("'n' has two meanings"));
  CHECK(error_of("equal n = m\nequal m = 4\n").ends_with("a meaning may not mention a symbol that has one itself"));
  CHECK(error_of("equal n = n + 1\n").ends_with("a meaning may not mention a symbol that has one itself"));
  CHECK(error_of("equal 3 = n\n").ends_with("'3' is no symbol"));
  CHECK(error_of("counters {nodes = 1}\n").ends_with("there is no counter 'nodes'"));
  CHECK(error_of("counters {symbols = -1}\n").ends_with("a count expected"));
}

TEST_CASE("a text cut anywhere is refused or a graph, never a crash") {
  const std::string text = to_text(everything());
  for (std::size_t length = 0; length < text.size(); ++length) {
    const std::string error = error_of(text.substr(0, length));
    CHECK((error == "no GraphError" || error.starts_with("graph text, line ")));
  }
}

TEST_CASE("large tensors can be cut short for reading, and then do not parse") {
  Graph g;
  g.apply({.op = holder, .attributes = {{"value", shared(Tensor(f32, {10, 10}))}}, .where = SourceLine()});
  const std::string text = to_text(g, {.max_elements = 3});
  CHECK(text == "%0 = test_holder() {value = f32 [10, 10] {0, 0, 0, ... 100 in all}} : f32 []   # test_holder\n");
  CHECK(error_of(text).ends_with("the tensor was cut short for reading and cannot be parsed"));
  CHECK(same_structure(parse_text(to_text(g, {.max_elements = 100})), g));
}

TEST_CASE("graphs that differ in anything that the text holds are not the same") {
  const Graph g = everything();
  const std::string text = to_text(g);
  const std::vector<std::pair<std::string, std::string>> edits{
      {"symbols = 1", "symbols = 2"},
      {"streams = 1", "streams = 2"},
      {"equal k = 3\nequal _0 = batch", "equal _0 = batch\nequal k = 3"},
      {"# x ", "# z "},
      {"model.cpp:12", "model.cpp:11"},
      {"model.cpp:12", "main.cpp:12"},
      {"gradient of dense/test_matmul", "gradient of x"},
      {"after %2, %3", "after %2"},
      {"(%3:1, %0)", "(%3, %0)"},
      {"output loss", "output lost"},
      {"\"the count\" = %3:1", "\"the count\" = %3"},
      {"%5 = test_neg(%2)", "%5 = test_concat(%2)"}};
  for (const auto& [from, to] : edits) {
    CAPTURE(from);
    std::string changed = text;
    // Types follow from the rest, and would otherwise be refused rather than compared.
    for (auto at = changed.find(" : "); at != std::string::npos; at = changed.find(" : ", at)) {
      changed.erase(at, changed.find("   #", at) - at);
    }
    CHECK(same_structure(g, parse_text(changed)));
    changed.replace(changed.find(from), from.size(), to);
    CHECK_FALSE(same_structure(g, parse_text(changed)));
  }
}
