#include <atomic>
#include <cstdlib>
#include <new>

#include <doctest/doctest.h>

#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "engines.h"

using namespace lathe;

namespace {

std::atomic<long> allocations = 0;

void* allocate(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  void* const memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Every way to allocate in this program, and in the libraries it uses, is counted.
void* operator new(std::size_t bytes) {
  return allocate(bytes, alignof(std::max_align_t));
}
void* operator new[](std::size_t bytes) {
  return allocate(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace {

/// Least squares by plain gradient steps, written out: w += rate * x^T (y - x w).
struct Regression {
  Graph graph;
  Value x = placeholder(graph, "x", f32, {dim("batch"), 8});
  Value y = placeholder(graph, "y", f32, {dim("batch"), 1});
  Variable w = variable(graph, "w", Tensor(f32, {8, 1}));
  Value difference = y - matmul(x, w);
  Value loss = sum(difference * difference);
  Value train = assign_add(w, matmul(transpose(x), difference) * 0.01f);
};

Tensor counted(Extents shape) {
  Tensor tensor(f32, std::move(shape));
  float next = -1;
  for (float& element : tensor.data<float>()) element = next += 0.0625f;
  return tensor;
}

}  // namespace

TEST_CASE("a callable gives what the session's run gives") {
  on_every_engine([](const SessionOptions& options) {
    Regression model;
    Session prepared(model.graph, options);
    Session plain(model.graph, options);
    prepared.initialize();
    plain.initialize();
    Callable step = prepared.prepare({model.loss, model.train}, {model.y, model.x});
    for (const std::int64_t batch : {5, 1, 5, 0, 9}) {
      const Tensor x = counted({batch, 8});
      const Tensor y = counted({batch, 1});
      const std::span<const Tensor> results = step({y, x});
      const std::vector<Tensor> expected = plain.run({model.loss, model.train}, {{model.x, x}, {model.y, y}});
      REQUIRE(results.size() == 2);
      CHECK(results[0] == expected[0]);
      CHECK(results[1] == expected[1]);
    }
    CHECK(prepared.weights_hash() == plain.weights_hash());
    CHECK(prepared.statistics().back().runs == 5);
  });
}

TEST_CASE("a callable of compiled code allocates nothing once it has met its largest batch") {
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    Regression model;
    SessionOptions options;
    options.threads = threads;
    Session session(model.graph, options);
    session.initialize();
    Callable step = session.prepare({model.loss, model.difference, model.train}, {model.x, model.y});
    const Tensor x = counted({64, 8});
    const Tensor y = counted({64, 1});
    const Tensor small_x = counted({7, 8});
    const Tensor small_y = counted({7, 1});
    step({x, y});
    step({small_x, small_y});
    const long before = allocations;
    for (int i = 0; i < 50; ++i) {
      step({x, y});
      step({small_x, small_y});
    }
    CHECK(allocations == before);
    CHECK(before > 0);
  }
}

TEST_CASE("a callable takes as many tensors as it was prepared for") {
  Regression model;
  Session session(model.graph, {.interpret = true});
  session.initialize();
  Callable loss = session.prepare({model.loss}, {model.x, model.y});
  const Tensor x = counted({5, 8});
  CHECK_THROWS_WITH_AS(loss({x}), "the callable takes 2 feeds, 1 given", RunError);
}

TEST_CASE("a callable rejects its own results as feeds") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  Session session(g, {.interpret = true});
  Callable twice = session.prepare({x + x}, {x});
  const Tensor start = counted({4});
  const Tensor& result = twice({start})[0];
  CHECK_THROWS_WITH_AS(twice({result}),
                       "a tensor is fed that this callable returned and is about to overwrite: copy it first",
                       RunError);
  const Tensor copy = result;
  CHECK(twice({copy})[0].data<float>()[0] == 4 * start.data<float>()[0]);
}

TEST_CASE("a callable outlives its session") {
  Graph g;
  const Variable counter = variable(g, "counter", Tensor::scalar<std::int64_t>(0));
  Callable count = [&] {
    Session session(g, {.interpret = true});
    session.initialize();
    return session.prepare({assign_add(counter, constant<std::int64_t>(g, 1))});
  }();
  CHECK(count({})[0].item<std::int64_t>() == 1);
  CHECK(count({})[0].item<std::int64_t>() == 2);
}
