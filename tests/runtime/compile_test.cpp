#include <lathe/runtime/compile.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include <unistd.h>

#include <doctest/doctest.h>

#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/session.h>

using namespace lathe;

namespace {

/// A little of everything that passes work on: a constant to fold, a common subexpression, a factor of one, a dead end.
struct Model {
  Graph graph;
  Value x = placeholder(graph, "x", f32, {dim("n"), 5});
  Value scale = constant(graph, 2.0f) + constant(graph, 3.0f);
  Value logits = matmul(x * scale * 1.0f, fill(graph, {5, 3}, 0.5));
  Value dead = square(logits);
  Value result = sum(exp(logits) + exp(logits), {1});

  Tensor input() const {
    Tensor tensor(f32, {4, 5});
    float next = -2;
    for (float& element : tensor.data<float>()) element = next += 0.17f;
    return tensor;
  }
  Tensor run(const SessionOptions& options) {
    Session session(graph, options);
    return session.run(result, {{x, input()}});
  }
};

}  // namespace

TEST_CASE("no pass changes a bit of the result, nor does fusion or the interpreter") {
  Model model;
  const Tensor expected = model.run({});
  CHECK(model.run({.interpret = true}) == expected);
  CHECK(model.run({.fuse = false}) == expected);
  for (const char* pass : {"dead_code", "simplify", "fold_constants", "cse", "fuse"}) {
    CAPTURE(pass);
    CHECK(model.run({.disable = {pass}}) == expected);
  }
  CHECK(model.run({.disable = {"dead_code", "simplify", "fold_constants", "cse", "fuse"}}) == expected);
}

TEST_CASE("passes leave less to compute") {
  Model model;
  Session optimised(model.graph, {.interpret = true});
  Session plain(model.graph,
                {.disable = {"dead_code", "simplify", "fold_constants", "cse"}, .fuse = false, .interpret = true});
  const Callable few = optimised.prepare({model.result}, {model.x});
  const Callable many = plain.prepare({model.result}, {model.x});
  CHECK(few.statistics().kernels < many.statistics().kernels);
}

TEST_CASE("compiling says what each phase cost") {
  Model model;
  Session session(model.graph);
  const ProgramStatistics statistics = session.prepare({model.result}, {model.x}).statistics();
  const auto has = [&](std::string_view phase) {
    return std::any_of(statistics.phases.begin(), statistics.phases.end(),
                       [&](const CompilePhase& each) { return each.name == phase; });
  };
  for (const char* phase : {"dead_code", "simplify", "fold_constants", "cse", "lower"}) {
    CAPTURE(phase);
    CHECK(has(phase));
  }
}

TEST_CASE("a dump has a folder for each program, with its graphs, kernels and code") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("lathe_dump_" + std::to_string(getpid()));
  fs::remove_all(folder);
  Model model;
  Session session(model.graph, {.dump = folder});
  session.prepare({model.result}, {model.x});
  session.prepare({model.logits}, {model.x});
  const fs::path first = folder / ("00_" + model.result.name());
  CHECK(fs::exists(first / "00-input.txt"));
  CHECK(fs::exists(first / "kernels.txt"));
  CHECK(fs::exists(folder / ("01_" + model.logits.name()) / "00-input.txt"));
  fs::remove_all(folder);
}
