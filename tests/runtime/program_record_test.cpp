#include <lathe/runtime/program_record.h>

#include <doctest/doctest.h>

#include <lathe/codegen/lower.h>
#include <lathe/graph/error.h>
#include <lathe/graph/text.h>

using namespace lathe;

namespace {

constexpr std::string_view text = R"(
%0 = placeholder() {dtype = i32, shape = [n, m]}   # places  model.cpp:12
%1 = constant() {value = f32 [3] {1.0, 2.0, 3.0}}   # table  model.cpp:13
%2 = gather(%1, %0) {axis = 0}   # picked  model.cpp:14
%3 = print(%2) {message = "picked"}   # shown  model.cpp:15
%4 = variable() {dtype = f32, shape = [4]}   # v  model.cpp:16
%5 = neg(%4)   # negated  model.cpp:17
%6 = assign(%4, %5)   # turned  model.cpp:18
output y = %3
)";

ProgramRecord record_of(const Graph& graph) {
  return {interface_of(lower(graph)), slot_names(graph)};
}

/// The graph with each line of the user's program ten lines further down.
Graph with_other_lines() {
  std::string moved(text);
  for (std::size_t at = moved.find(".cpp:"); at != std::string::npos; at = moved.find(".cpp:", at + 1)) {
    moved[at + 5] = '2';
  }
  return parse_text(moved);
}

}  // namespace

TEST_CASE("a record comes back as it was written") {
  const Graph graph = parse_text(text);
  const ProgramRecord record = record_of(graph);
  const ProgramRecord back = read_record(write_record(record, graph), graph);
  const ProgramInterface& was = record.interface;
  const ProgramInterface& is = back.interface;
  CHECK(is.inputs == 1);
  CHECK(is.variables == 1);
  CHECK(is.outputs == was.outputs);
  CHECK(is.symbols == was.symbols);
  CHECK(is.symbols.size() == 2);
  CHECK(is.arena_bytes == was.arena_bytes);
  CHECK(is.checks == was.checks);
  CHECK(is.checks.size() == 1);
  CHECK(is.prints == was.prints);
  CHECK(is.prints.size() == 1);
  CHECK(is.steps == was.steps);
  CHECK(is.kernels == was.kernels);
  CHECK(back.slots == record.slots);
  CHECK(back.slots.variables == std::vector<SlotNames::Variable>{{"v", true, true}});
}

TEST_CASE("exchanges, and checks of nodes that passes made, come back as they were written") {
  const Graph graph = parse_text(text);
  ProgramRecord record = record_of(graph);
  record.interface.exchanges = {{.output = 1, .variable = 0}};
  record.interface.checks.push_back({"assert_all_finite 'made' (model.cpp:14)", "element {index} is NaN or infinite"});
  const ProgramRecord back = read_record(write_record(record, graph), graph);
  CHECK(back.interface.exchanges == record.interface.exchanges);
  CHECK(back.interface.checks == record.interface.checks);
}

TEST_CASE("a constant of the graph's own is read from there, any other from the record") {
  const Graph graph = parse_text(text);
  ProgramRecord record = record_of(graph);
  const auto folded = std::make_shared<const Tensor>(Tensor::from<std::int32_t>({2, 2}, {1, -2, 3, -4}));
  const auto empty = std::make_shared<const Tensor>(Tensor(DType::f64, {0, 3}));
  record.interface.constants.insert(record.interface.constants.end(), {nullptr, folded, empty});
  const ProgramRecord back = read_record(write_record(record, graph), graph);
  REQUIRE(back.interface.constants.size() == record.interface.constants.size());
  std::size_t shared = 0;
  for (std::size_t i = 0; i < back.interface.constants.size(); ++i) {
    const auto& was = record.interface.constants[i];
    const auto& is = back.interface.constants[i];
    REQUIRE((is == nullptr) == (was == nullptr));
    if (!was) continue;
    CHECK(*is == *was);
    if (is == was) ++shared;
  }
  CHECK(shared == 1);
}

TEST_CASE("a check is of the line where its node is now") {
  const Graph graph = parse_text(text);
  const Graph moved = with_other_lines();
  const ProgramRecord back = read_record(write_record(record_of(graph), graph), moved);
  REQUIRE(back.interface.checks.size() == 1);
  CHECK(back.interface.checks[0].node == "gather 'picked' (model.cpp:24)");
}

TEST_CASE("bytes that are cut short make no record") {
  const Graph graph = parse_text(text);
  const std::string bytes = write_record(record_of(graph), graph);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    CHECK_THROWS_AS(read_record(std::string_view(bytes).substr(0, length), graph), DataError);
  }
}
