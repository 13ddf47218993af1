#include <lathe/codegen/lower.h>

#include <algorithm>
#include <limits>

#include <doctest/doctest.h>

#include <lathe/codegen/interface.h>
#include <lathe/codegen/schedule.h>
#include <lathe/graph/passes/dead_code.h>
#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/concat.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/gather.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/nn/layers.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/optim/optimizers.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/softmax.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "../support/run_graph.h"

using namespace lathe;

namespace {

Program lower_outputs(Graph& graph, const Values& outputs, LowerOptions options = {}) {
  std::vector<Graph::Output> named;
  for (const Value& output : outputs) named.push_back({"out" + std::to_string(named.size()), output.id()});
  graph.set_outputs(named);
  return lower(eliminate_dead_code(graph), options);
}

std::vector<const loop::Kernel*> kernels(const Program& program) {
  std::vector<const loop::Kernel*> kernels;
  for (const loop::Step& step : program.steps) {
    if (const auto* kernel = std::get_if<loop::Kernel>(&step)) kernels.push_back(kernel);
  }
  return kernels;
}

/// Names of the tensors that a program keeps in its arena.
std::vector<std::string> in_arena(const Program& program) {
  std::vector<std::string> names;
  for (const ProgramTensor& tensor : program.tensors) {
    if (tensor.role == Role::arena) names.push_back(tensor.name);
  }
  return names;
}

std::size_t commits(const Program& program) {
  return static_cast<std::size_t>(std::count_if(program.steps.begin(), program.steps.end(), [](const loop::Step& step) {
    return std::holds_alternative<loop::CommitStep>(step);
  }));
}

/// The position of the step that stores to the variable in this slot.
std::size_t writer_of(const Program& program, std::size_t slot) {
  const loop::TensorId variable = program.variables.at(slot);
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const auto* kernel = std::get_if<loop::Kernel>(&program.steps[i]);
    if (!kernel) continue;
    for (const loop::Stage& stage : kernel->stages) {
      for (const loop::Yield& yield : stage.yields) {
        const auto* to = std::get_if<loop::ToTensor>(&yield.destination);
        if (to && to->tensor == variable) return i;
      }
    }
  }
  return program.steps.size();
}

}  // namespace

TEST_CASE("views cost no kernel and no memory") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 4, 6});
  const Value y = exp(transpose(reshape(x, {dim("n"), 24})));
  const Program program = lower_outputs(g, {y});
  CHECK(kernels(program).size() == 1);
  CHECK(program.arena_bytes == Dim(0));
}

TEST_CASE("a chain of element-wise ops is one kernel, without fusion one a node") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value y = tanh(exp(x) * 2.0f + x);
  CHECK(kernels(lower_outputs(g, {y})).size() == 1);
  CHECK(kernels(lower_outputs(g, {y}, {.fuse = false})).size() > 3);
}

TEST_CASE("what a tensor is made from moves into its only use, for a narrow border around it too") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 10});
  const Program narrow = lower_outputs(g, {pad(tanh(x), {0, 1}, {0, 1})});
  REQUIRE(kernels(narrow).size() == 1);
  CHECK(kernels(narrow)[0]->stages.size() == 1);
  const Program wide = lower_outputs(g, {pad(tanh(x), {0, 10}, {0, 10})});  // would compute each tanh three times
  REQUIRE(kernels(wide).size() == 1);
  CHECK(kernels(wide)[0]->stages.size() == 2);
}

TEST_CASE("a chain that each step continues is not computed anew by all that follow") {
  // The most loads in a kernel of a recurrent network.
  const auto most_loads = [](int steps) {
    Graph g;
    const Dim n = dim("n");
    Value h = placeholder(g, "h", f32, {n, 256});
    Value c = placeholder(g, "c", f32, {n, 256});
    for (int t = 0; t < steps; ++t) {
      const Value z = matmul(h, placeholder(g, "w" + std::to_string(t), f32, {256, 256}));
      c = c * z + z;
      h = tanh(c);
    }
    const Program program = lower_outputs(g, {h});
    std::size_t most = 0;
    for (const loop::Kernel* kernel : kernels(program)) {
      most = std::max(most, loads_of(*program.pool, values_of(kernel->stages)).size());
    }
    return most;
  };
  CHECK(most_loads(30) == most_loads(15));
}

TEST_CASE("pieces that take long are computed where they are, short ones everywhere") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 20});
  const Value y = placeholder(g, "y", f32, {dim("n"), 20});
  const auto many = [](Value value) {
    const Value start = value;
    for (int i = 0; i < 10; ++i) value = value * start + 0.5f;
    return value;
  };
  const auto lazy = [&](const Value& value) {
    const std::string text = to_string(lower_outputs(g, {value}));
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("select_lazily(", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  CHECK(lazy(concat({x, y}, 1)) == 0);
  CHECK(lazy(concat({many(x), y}, 1)) == 1);
  CHECK(lazy(concat({x, many(y)}, 1)) == 1);
  CHECK(lazy(concat({many(x), many(y)}, 1)) == 2);
  CHECK(lazy(pad(tanh(x), {0, 1}, {0, 1})) == 1);
  CHECK(lazy(select(greater(x, y), many(x), many(y))) == 0);  // by data, of which nothing is known
}

TEST_CASE("bias and activation are the epilogue of their matmul") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("batch"), 784});
  const Value y = nn::dense(x, 128, {.activation = relu});
  const Program program = lower_outputs(g, {y});
  REQUIRE(kernels(program).size() == 1);
  CHECK(kernels(program)[0]->outer.size() == 2);
  CHECK(in_arena(program).empty());
}

TEST_CASE("contractions make what they read along rows as they go, and nothing else") {
  Graph g;
  const Value bytes = placeholder(g, "bytes", u8, {dim("batch"), 28, 28});
  const Value w = placeholder(g, "w", f32, {784, 128});
  const Value x = flatten(cast(bytes, f32) * 0.5f);
  const auto count = [&](const Values& outputs) { return kernels(lower_outputs(g, outputs)).size(); };
  CHECK(count({matmul(x, w)}) == 1);
  const Value dy = placeholder(g, "dy", f32, {dim("batch"), 128});
  CHECK(count({matmul(x, w), matmul(x, dy, {.transpose_a = true})}) == 2);     // a layer and its weights' gradient
  CHECK(count({matmul(x, w), matmul(x, relu(w)), matmul(x, w + 1.0f)}) == 5);  // by too many; along columns
  CHECK(count({matmul(tanh(x), w)}) == 2);                                     // too much to hide
  CHECK(count({matmul(x, w), x}) == 2);                                        // needed in memory anyway
}

TEST_CASE("rows that an index picks are checked once, before any contraction makes them") {
  Graph g;
  const Value images = placeholder(g, "images", u8, {dim("examples"), 28, 28});
  const Value rows = placeholder(g, "rows", i64, {dim("batch")});
  const Value dy = placeholder(g, "dy", f32, {dim("batch"), 128});
  const Value x = flatten(cast(gather(images, rows), f32) * 0.5f);
  const Value w = placeholder(g, "w", f32, {784, 128});
  const Program program = lower_outputs(g, {matmul(x, w), matmul(x, dy, {.transpose_a = true})});
  REQUIRE(kernels(program).size() == 3);
  CHECK(kernels(program)[0]->outer.size() == 1);
  CHECK(in_arena(program) == std::vector<std::string>{"gather/check"});

  const Program alone = lower_outputs(g, {x});  // nothing else needs the index
  CHECK(kernels(alone).size() == 1);
  CHECK(in_arena(alone).empty());
}

TEST_CASE("an activation is made of its own contraction's results, not anew by the next one") {
  Graph graph;
  const Value x = placeholder(graph, "x", f32, {dim("m"), 784});
  const Value hidden = nn::dense(x, 128, {.activation = relu});
  const Program program = lower_outputs(graph, {nn::dense(hidden, 10)});
  const auto all = kernels(program);
  REQUIRE(all.size() == 2);
  CHECK(in_arena(program) == std::vector<std::string>{"dense/relu"});
}

TEST_CASE("softmax is one pass over each row, whatever the rank") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("a"), dim("b"), 10});
  const Program program = lower_outputs(g, {softmax(x)});
  REQUIRE(kernels(program).size() == 1);
  CHECK(kernels(program)[0]->outer.size() == 2);
  CHECK(program.arena_bytes == Dim(0));
}

TEST_CASE("rows of symbolic length pass through memory inside one kernel") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), dim("m")});
  const Program program = lower_outputs(g, {softmax(x)});
  CHECK(kernels(program).size() == 1);
}

TEST_CASE("a training step never stores a weight gradient, and reads weights before it updates them") {
  Graph g;
  const Value images = placeholder(g, "images", u8, {dim("batch"), 28, 28});
  const Value labels = placeholder(g, "labels", u8, {dim("batch")});
  const Value hidden = nn::dense(cast(flatten(images), f32) / 255.0f, 128, {.activation = relu});
  const Value loss = mean(sparse_softmax_cross_entropy(labels, nn::dense(hidden, 10)));
  const Value train = optim::adam().minimize(loss);
  const Program program = lower_outputs(g, {loss, train});

  CHECK(kernels(program).size() <= 11);
  CHECK(commits(program) == 0);
  for (const ProgramTensor& tensor : program.tensors) {
    if (tensor.role == Role::arena) CHECK(tensor.type.shape != Shape{784, 128});
  }
  const auto update = std::find_if(program.steps.begin(), program.steps.end(), [&](const loop::Step& step) {
    const auto* kernel = std::get_if<loop::Kernel>(&step);
    return kernel && kernel->outer.size() == 2 && program.pool->axis(kernel->outer[0]).extent == Dim(784);
  });
  REQUIRE(update != program.steps.end());
  const auto& kernel = std::get<loop::Kernel>(*update);
  CHECK(kernel.stages.size() == 2);
  CHECK(kernel.stages[1].yields.size() == 3);
}

TEST_CASE("what reads one element of a loop's result at every point does not join that loop by way of others") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {4});
  const Value t = tanh(x);
  const Value y = x - reduce_max(x, {0}, true);
  const Value a = slice(t, {Range{1, 2}}) * y;
  const Value b = y * t;
  test::set_outputs(g, {a, b, t});
  Tensor feed(f32, {4});
  std::ranges::copy(std::vector{-0.5f, 0.25f, 1.5f, -2.0f}, feed.data<float>().begin());
  const test::Feeds feeds = {{"x", feed}};
  const auto unfused = test::interpreted(test::program_of(g, {.fuse = false})).run(feeds).outputs;
  CHECK(test::interpreted(test::program_of(g)).run(feeds).outputs == unfused);
}

TEST_CASE("two variables that swap need one copy, made at the end") {
  Graph g;
  const Variable a = variable(g, "a", Tensor::from<float>({2}, {1, 2}));
  const Variable b = variable(g, "b", Tensor::from<float>({2}, {3, 4}));
  const Program program = lower_outputs(g, {assign(a, b), assign(b, a)});
  CHECK(commits(program) == 1);
}

TEST_CASE("nothing that can fail runs after a variable has changed") {
  Graph g;
  const Variable w = variable(g, "w", Tensor::from<float>({2}, {1, 2}));
  const Value x = placeholder(g, "x", f32, {2});
  const Value updated = assign(w, w.value + x);
  const Value checked = assert_all_finite(exp(x));
  const Program program = lower_outputs(g, {updated, checked});
  REQUIRE(kernels(program).size() == 2);
  CHECK(writer_of(program, 0) == 1);

  Graph late;
  const Variable v = variable(late, "v", Tensor::from<float>({2}, {1, 2}));
  const Value fed = placeholder(late, "x", f32, {2});
  // The check needs the new value, so the new value waits.
  CHECK(commits(lower_outputs(late, {assert_all_finite(assign(v, v.value + fed))})) == 1);
}

TEST_CASE("a new value that waits for checks is exchanged instead of copied, if asked for") {
  Graph g;
  const Variable w = variable(g, "w", Tensor(f32, {256, 128}));
  const Variable v = variable(g, "v", Tensor(f32, {2}));
  const Variable u = variable(g, "u", Tensor(f32, {2}));
  const Value x = placeholder(g, "x", f32, {2});
  const Value checked = assert_all_finite(w.value * 2.0f);
  const Value sum = assert_all_finite(v.value + x);
  const Program program =
      lower_outputs(g, {assign(w, checked) > 0.0f, assign(v, sum), assign(u, x)}, {.panels = true, .exchange = true});
  // u changes in place once nothing can fail; what v gets is fetched too, and that memory is the caller's.
  CHECK(commits(program) == 1);
  REQUIRE(program.exchanges.size() == 1);
  CHECK(program.exchanges[0] == Exchange{.output = 3, .variable = 0});
  REQUIRE(program.outputs.size() == 4);
  const ProgramTensor& next = program.tensor(program.outputs[3]);
  CHECK(next.role == Role::output);
  CHECK(next.type == program.tensor(program.variables[0]).type);  // panels, too
  CHECK(next.panel == program.tensor(program.variables[0]).panel);
  CHECK(interface_of(program).exchanges == program.exchanges);
}

TEST_CASE("an extent that no tensor has is a symbol of the program, too") {
  Graph g;
  const Value count = g.apply({.op = *find_op("extent"), .attributes = {{"dim", Shape{dim("n") * 2}}}});
  CHECK(lower_outputs(g, {count}).symbols == std::vector<SymbolId>{symbol("n")});
  CHECK(test::interpret(g, {}, {{"n", 21}})[0].item<std::int64_t>() == 42);
  CHECK(test::jit(g, {}, {{"n", 21}})[0].item<std::int64_t>() == 42);
}

TEST_CASE("a check stays outside of a loop that may be empty") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {});
  const Value rows = placeholder(g, "rows", f32, {dim("n")});
  test::set_outputs(g, {assert_all_finite(x) * rows});
  const test::Feeds feeds = {{"x", Tensor::scalar(std::numeric_limits<float>::infinity())}, {"rows", Tensor(f32, {0})}};
  CHECK_THROWS_AS(test::interpret(g, feeds), RunError);
  CHECK_THROWS_AS(test::jit(g, feeds), RunError);
}

TEST_CASE("a read of a variable sees the value from before the run") {
  Graph g;
  const Variable w = variable(g, "w", Tensor::from<float>({2}, {1, 2}));
  const Program program = lower_outputs(g, {assign(w, w.value * 2.0f), w.value});
  CHECK(writer_of(program, 0) == program.steps.size() - 1);
}

TEST_CASE("two assignments to one variable in one run are an error that names it") {
  Graph g;
  const Variable w = variable(g, "w", Tensor::from<float>({2}, {1, 2}));
  const Values both{assign(w, w.value * 2.0f), assign(w, w.value * 3.0f)};
  CHECK_THROWS_WITH_AS(lower_outputs(g, both), doctest::Contains("'w' is assigned twice in one run"), CompileError);
}

TEST_CASE("arena tensors that never live together share memory") {
  Graph g;
  Value x = placeholder(g, "x", f32, {256, 256});
  const Value w = placeholder(g, "w", f32, {256, 256});
  for (int i = 0; i < 6; ++i) x = matmul(x, w);
  const Program program = lower_outputs(g, {x});
  CHECK(in_arena(program).size() == 5);
  CHECK(program.arena_bytes == Dim(2 * 256 * 256 * 4));
}
