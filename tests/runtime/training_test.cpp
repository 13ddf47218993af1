// The whole of Lathe on its first job: what a training computes, not how fast.
#include <cmath>
#include <random>
#include <sstream>
#include <utility>

#include <doctest/doctest.h>

#include <lathe/graph/text.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/nn/layers.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/optim/optimizers.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/session.h>

#include "../support/mlp_reference.h"
#include "../support/temporary_folder.h"

using namespace lathe;

namespace {

constexpr std::int64_t pixels = 784;

struct Classifier {
  Graph graph;
  Value images, labels, loss, train;

  Classifier() {
    images = placeholder(graph, "images", u8, {dim("batch"), pixels});
    labels = placeholder(graph, "labels", u8, {dim("batch")});
    const Value hidden = nn::dense(cast(images, f32) / 255.0f, 128, {.activation = relu, .name = "hidden"});
    loss = mean(sparse_softmax_cross_entropy(labels, nn::dense(hidden, 10, {.name = "logits"})));
    train = optim::adam().minimize(loss);
  }
};

struct Batch {
  Tensor images, labels;
};

/// Images whose brightness pattern depends on their label, so that there is something to learn.
Batch make_batch(std::int64_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  Batch batch{Tensor(u8, {size, pixels}), Tensor(u8, {size})};
  for (std::int64_t row = 0; row < size; ++row) {
    const std::uint32_t label = random() % 10;
    batch.labels.data<std::uint8_t>()[static_cast<std::size_t>(row)] = static_cast<std::uint8_t>(label);
    for (std::int64_t p = 0; p < pixels; ++p) {
      const std::uint32_t bright = (static_cast<std::uint32_t>(p) / 28 + label) % 10 < 3 ? 128 : 0;
      batch.images.data<std::uint8_t>()[static_cast<std::size_t>(row * pixels + p)] =
          static_cast<std::uint8_t>(random() % 3 == 0 ? 0 : bright + random() % 100);
    }
  }
  return batch;
}

/// The innermost loops of an assembly listing, which LLVM marks: from the label to the last jump back to it.
std::vector<std::string> innermost_loops(const std::string& assembly) {
  std::vector<std::string> lines;
  std::istringstream stream(assembly);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::vector<std::string> loops;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    if (lines[at].find("Inner Loop Header") == std::string::npos) continue;
    std::size_t begin = at;
    while (!lines[begin].starts_with(".LBB")) --begin;
    const std::string jump_back = "\t" + lines[begin].substr(0, lines[begin].find(':'));
    std::string loop;
    std::string since_jump;
    for (std::size_t i = begin; lines[i].find("End function") == std::string::npos; ++i) {
      since_jump += lines[i] + "\n";
      if (lines[i].starts_with("\tj") && lines[i].ends_with(jump_back)) loop += std::exchange(since_jump, "");
    }
    loops.push_back(loop);
  }
  return loops;
}

std::uint64_t train(const SessionOptions& options, int steps) {
  Classifier model;
  Session session(model.graph, options);
  session.initialize(7);
  for (int step = 0; step < steps; ++step) {
    const Batch batch = make_batch(32, static_cast<std::uint32_t>(step));
    session.run({model.loss, model.train}, {{model.images, batch.images}, {model.labels, batch.labels}});
  }
  return session.weights_hash();
}

void copy(const Tensor& from, std::vector<double>& to) {
  const auto values = from.data<float>();
  to.assign(values.begin(), values.end());
}

/// |a - b| / |b| in the Euclidean norm.
double distance(const Tensor& a, const std::vector<double>& b) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a.data<float>()[i]) - b[i], 2);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace

TEST_CASE("fifty training steps agree with plain loops in double precision") {
  Classifier model;
  Session session(model.graph);
  session.initialize(1);
  test::MlpReference reference(pixels, 128, 10);
  copy(session.variable("hidden/kernel"), reference.kernel_1);
  copy(session.variable("logits/kernel"), reference.kernel_2);

  double first = 0;
  double last = 0;
  for (std::uint32_t step = 0; step < 50; ++step) {
    const Batch batch = make_batch(32, step);
    const std::vector<Tensor> results =
        session.run({model.loss, model.train}, {{model.images, batch.images}, {model.labels, batch.labels}});
    last = static_cast<double>(results[0].item<float>());
    if (step == 0) first = last;
    const double expected = reference.step(batch.images.data<std::uint8_t>(), batch.labels.data<std::uint8_t>());
    CHECK(std::abs(last - expected) <= 1e-4 * expected);
  }
  CHECK(last < 0.5 * first);
  CHECK(distance(session.variable("hidden/kernel"), reference.kernel_1) < 1e-4);
  CHECK(distance(session.variable("hidden/bias"), reference.bias_1) < 1e-4);
  CHECK(distance(session.variable("logits/kernel"), reference.kernel_2) < 1e-4);
  CHECK(distance(session.variable("logits/bias"), reference.bias_2) < 1e-4);
}

TEST_CASE("threads, instruction sets, fusion and the interpreter make no difference to a single bit") {
  const std::uint64_t expected = train({.threads = 1}, 8);
  CHECK(train({.threads = 1}, 8) == expected);
  CHECK(train({.threads = 2}, 8) == expected);
  CHECK(train({.threads = 5}, 8) == expected);
  CHECK(train({.threads = 1, .fuse = false}, 8) == expected);
  CHECK(train({.threads = 1, .interpret = true}, 8) == expected);
  for (const InstructionSet set : {InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_available(set)) CHECK(train({.threads = 1, .instruction_set = set}, 8) == expected);
  }
}

TEST_CASE("no inner loop of the training step spills a register, and nothing calls a maths library") {
  for (const InstructionSet set : {InstructionSet::avx2, InstructionSet::avx512}) {
    if (!is_available(set)) continue;
    CAPTURE(to_string(set));
    const test::TemporaryFolder folder;
    Classifier model;
    Session session(model.graph, {.instruction_set = set, .dump = folder.path()});
    session.prepare({model.loss, model.train}, {model.images, model.labels});
    const std::string assembly = test::slurp(folder.path() / "00_mean" / "module.s");
    std::size_t multiplying = 0;
    for (const std::string& loop : innermost_loops(assembly)) {
      INFO(loop);
      // Polynomials have constants in memory; contractions have not.
      if (loop.find("vfmadd231") != std::string::npos && loop.find(".LCPI") == std::string::npos) {
        ++multiplying;
        CHECK(loop.find("\timul") == std::string::npos);  // places go along by additions
        CHECK(loop.find("\tshl") == std::string::npos);
      }
      CHECK(loop.find("Spill") == std::string::npos);
      CHECK(loop.find("Reload") == std::string::npos);
      CHECK(loop.find("call") == std::string::npos);
    }
    CHECK(multiplying >= 4);  // two layers, and the gradients of their weights
    std::istringstream stream(assembly);
    for (std::string line; std::getline(stream, line);) {
      if (!line.starts_with("\tcall")) continue;
      INFO(line);
      const bool own = line.find("kernel_") != std::string::npos || line.find("*") != std::string::npos ||
                       line.find("memmove") != std::string::npos;
      CHECK(own);
    }
  }
}

TEST_CASE("one session trains with batches of 32, 1, 7 and 128 and compiles the training program once") {
  Classifier model;
  Session session(model.graph);
  session.initialize(1);
  const std::size_t before = session.compilations();
  for (const std::int64_t size : {32, 1, 7, 128, 32}) {
    const Batch batch = make_batch(size, static_cast<std::uint32_t>(size));
    session.run({model.loss, model.train}, {{model.images, batch.images}, {model.labels, batch.labels}});
  }
  CHECK(session.compilations() == before + 1);
}

TEST_CASE("a label outside the classes is an error that names its row, and no weight changes") {
  Classifier model;
  Session session(model.graph);
  session.initialize(1);
  const std::uint64_t before = session.weights_hash();
  Batch batch = make_batch(32, 1);
  batch.labels.data<std::uint8_t>()[3] = 10;
  const auto run = [&] {
    session.run({model.loss, model.train}, {{model.images, batch.images}, {model.labels, batch.labels}});
  };
  CHECK_THROWS_WITH_AS(run(), doctest::Contains("label 10 at row 3 is outside [0, 10)"), RunError);
  CHECK(session.weights_hash() == before);
}

TEST_CASE("the text of the training graph parses back to the same graph") {
  const Classifier model;
  const std::string text = to_text(model.graph);
  const Graph parsed = parse_text(text);
  CHECK(to_text(parsed) == text);
  CHECK(same_structure(parsed, model.graph));
}
