#include <lathe/codegen/interface.h>

#include <doctest/doctest.h>

#include <lathe/codegen/lower.h>
#include <lathe/graph/text.h>

using namespace lathe;

TEST_CASE("an interface holds what a program takes, gives, checks and prints") {
  const Graph graph = parse_text(R"(
%0 = placeholder() {dtype = i32, shape = [n]}   # places
%1 = constant() {value = f32 [3] {1.0, 2.0, 3.0}}   # table
%2 = gather(%1, %0) {axis = 0}   # picked
%3 = print(%2) {message = "they are"}   # shown
%4 = variable() {dtype = f32, shape = [2]}   # v
%5 = sum(%3) {axes = (0), keep_dims = false}   # sum
%6 = add(%4, %5)   # more
%7 = assign(%4, %6)   # kept
output y = %3
output total = %5
)");
  const Program program = lower(graph);
  const ProgramInterface interface = interface_of(program);
  const Dim n = dim("n");
  CHECK(interface.inputs == 1);
  CHECK(interface.variables == 1);
  CHECK(interface.outputs == std::vector<TensorType>{{DType::f32, {n}}, {DType::f32, {}}});
  CHECK(interface.symbols == std::vector<SymbolId>{symbol("n")});
  CHECK(interface.arena_bytes == program.arena_bytes);
  REQUIRE(interface.checks.size() == 1);
  CHECK(interface.checks[0].node == "gather 'picked'");
  CHECK(interface.steps == program.steps.size());
  CHECK(interface.kernels + 1 == interface.steps);  // all steps but the print
  REQUIRE(interface.prints.size() == 1);
  CHECK(std::holds_alternative<loop::HostStep>(program.steps.at(interface.prints[0].step)));
  CHECK(interface.prints[0].message == "they are");
  CHECK(interface.prints[0].type == TensorType{DType::f32, {n}});

  const std::vector<const void*> addresses = constant_addresses(interface);
  REQUIRE(addresses.size() == program.tensors.size());
  std::size_t constants = 0;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto& constant = program.tensors[i].constant;
    CHECK(addresses[i] == (constant ? constant->bytes().data() : nullptr));
    if (constant) ++constants;
  }
  CHECK(constants == 1);
}
