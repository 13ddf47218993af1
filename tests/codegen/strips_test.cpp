#include <lathe/codegen/strips.h>

#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/codegen/lower.h>
#include <lathe/codegen/memory_plan.h>
#include <lathe/graph/passes/dead_code.h>
#include <lathe/ops/conv.h>
#include <lathe/ops/gather.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/pool.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/softmax.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "../support/run_graph.h"

using namespace lathe;
using namespace lathe::test;

namespace {

Program lower_outputs(Graph& graph, const Values& outputs, const LowerOptions& options = {}) {
  set_outputs(graph, outputs);
  return lower(eliminate_dead_code(graph), options);
}

/// What to_string() says of a program's groups.
std::string strips_of(const Program& program) {
  const std::string text = to_string(program);
  const std::size_t at = text.find("\nstrips");
  return at == std::string::npos ? "" : text.substr(at + 1);
}

/// A convolution of n images of 40 x 40, to so many channels, with ReLU.
Value convolved(Graph& graph, std::int64_t channels = 24) {
  const Value images = placeholder(graph, "images", f32, {dim("n"), 40, 40, 1});
  return relu(conv2d(images, placeholder(graph, "w", f32, {3, 3, 1, channels}), {.padding = Padding::same}));
}

}  // namespace

TEST_CASE("kernels that leave images for each other run in strips of images") {
  Graph g;
  const Program program = lower_outputs(g, {max_pool2d(convolved(g), 2)});
  CHECK(strips_of(program) ==
        "strips   kernels 0 to 1, at n points of the first axis\n"
        "    conv2d: from 0 to 1, 153600 bytes a point, nobody else's\n");
  Graph h;
  CHECK(lower_outputs(h, {max_pool2d(convolved(h), 2)}, {.strips = false}).strips.empty());
  Graph k;
  CHECK(lower_outputs(k, {max_pool2d(convolved(k), 2)}, {.fuse = false}).strips.empty());
}

TEST_CASE("what is fetched, or read by others, is everybody's") {
  Graph g;
  const Value y = convolved(g);
  const Program program = lower_outputs(g, {max_pool2d(y, 2), y});
  CHECK(strips_of(program) ==
        "strips   kernels 0 to 1, at n points of the first axis\n"
        "    out1: from 0 to 1, 153600 bytes a point\n");
}

TEST_CASE("a kernel moves up to its group past others that have nothing to do with it") {
  Graph g;
  const Value y = convolved(g);
  const Value spread = mean(square(y), {0});  // over all images, before anything else
  const Program program = lower_outputs(g, {spread, max_pool2d(y, 2)});
  REQUIRE(program.steps.size() == 3);
  REQUIRE(program.strips.size() == 1);
  CHECK(program.strips.front().count == 2);
  CHECK(std::get<loop::Kernel>(program.steps[1]).name == "max_pool2d");
  CHECK(!program.strips.front().links.front().is_private);
}

TEST_CASE("a kernel that needs all images is in no group with the one that makes them") {
  Graph g;
  const Value pooled = max_pool2d(convolved(g), 2);
  const Program program = lower_outputs(g, {pooled - mean(pooled, {0})});
  REQUIRE(program.strips.size() == 1);
  const StripGroup& group = program.strips.front();
  CHECK(group.first + group.count == 2);  // then comes the mean
  CHECK(program.steps.size() > 3);
}

TEST_CASE("points that are too large, or of unknown size, make no group") {
  Graph g;
  CHECK(lower_outputs(g, {max_pool2d(convolved(g, 1400), 2)}).strips.empty());
  Graph h;
  const Value images = placeholder(h, "images", f32, {dim("n"), dim("m") * Dim(2), 40, 1});
  const Value y = relu(conv2d(images, placeholder(h, "w", f32, {3, 3, 1, 24}), {.padding = Padding::same}));
  CHECK(lower_outputs(h, {max_pool2d(y, 2)}).strips.empty());
}

TEST_CASE("weights that do not stay in the cache beside a strip make no group") {
  for (const bool large : {false, true}) {
    CAPTURE(large);
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n"), 20, 20, 8});
    const Value pooled = max_pool2d(x, 2);
    const Value y = conv2d(pooled, placeholder(g, "w", f32, {3, 3, 8, large ? 1024 : 64}));
    CHECK(lower_outputs(g, {y}).strips.size() == (large ? 0 : 1));
  }
}

TEST_CASE("kernels do not move past what has to be checked before, and none that can fail is in a group") {
  Graph g;
  const Value rows = gather(max_pool2d(convolved(g), 2), placeholder(g, "index", i64, {20}), 1);
  CHECK(lower_outputs(g, {rows}).strips.empty());
  Graph h;
  const Value labels = placeholder(h, "labels", i64, {dim("n"), 20, 20, 24});
  const Value pooled = max_pool2d(convolved(h), 2);
  const Value table = placeholder(h, "table", f32, {10});
  CHECK(lower_outputs(h, {pooled * gather(table, labels)}).strips.empty());
}

TEST_CASE("a batch of two axes has points of both") {
  Graph g;
  Values operands;
  for (const char* name : {"q", "k", "v"}) operands.push_back(placeholder(g, name, f32, {dim("n"), 6, 64, 32}));
  const Value weights = softmax(matmul(operands[0], operands[1], {.transpose_b = true}));
  const Value y = matmul(weights, operands[2]);
  const Program program = lower_outputs(g, gradients({sum(square(y))}, operands));
  REQUIRE(program.strips.size() == 1);
  CHECK(program.strips.front().axes == 2);
  CHECK(program.strips.front().points == dim("n") * Dim(6));
}

TEST_CASE("what kernels in strips use shares memory only where its points meet") {
  for (const bool alike : {true, false}) {
    CAPTURE(alike);
    Graph g;
    Value y = placeholder(g, "x", f32, {dim("n"), 40, 40, 1});
    for (int layer = 0; layer < 4; ++layer) {
      const Value weights = placeholder(g, fmt::format("w{}", layer), f32, {3, 3, 1, 24});
      const Padding padding = alike ? Padding::same : Padding::valid;
      y = sum(relu(conv2d(y, weights, {.padding = padding})), {3}, true);
    }
    set_outputs(g, {y});
    const Program apart = lower(g, {.strips = false});
    const Program program = lower(g);
    REQUIRE(program.strips.size() == 1);
    const auto& links = program.strips.front().links;
    REQUIRE(links.size() == 3);
    const auto first_and_last_share = [&](const Program& in) {
      return share_memory(in.tensor(links[0].tensor), in.tensor(links[2].tensor));
    };
    CHECK(first_and_last_share(apart));
    CHECK(first_and_last_share(program) == alike);
  }
}

TEST_CASE("a group of known sizes that would not pay is none") {
  for (const std::int64_t images : {7, 8}) {
    CAPTURE(images);
    Graph g;
    const Value x = placeholder(g, "x", f32, {images, 40, 40, 1});
    const Value y = relu(conv2d(x, placeholder(g, "w", f32, {3, 3, 1, 24}), {.padding = Padding::same}));
    CHECK(lower_outputs(g, {max_pool2d(y, 2)}).strips.size() == (images == 8 ? 1 : 0));
  }
}
