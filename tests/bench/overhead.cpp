// What a run costs beside its work: a program that adds one to one number, prepared and by name, and how often a run
// allocates. libtorch's smallest operation stands beside it for scale.

#include <atomic>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "peers/torch.h"
#include "support/program.h"

#include <lathe/lathe.h>

namespace {

std::atomic<long> allocations = 0;

}  // namespace

// All of the process allocates through these: glibc's own functions, counted. `operator new` calls malloc or
// aligned_alloc. Names and types are the C library's.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  *memory = __libc_memalign(alignment, bytes);
  constexpr int out_of_memory = 12;
  return *memory == nullptr ? out_of_memory : 0;
}
}

using namespace lathe;
using namespace lathe::bench;

namespace {

/// Of one run of many.
double allocations_a_run(const Contestant& contestant) {
  constexpr int runs = 1000;
  contestant.run();
  const long before = allocations;
  for (int run = 0; run < runs; ++run) contestant.run();
  return static_cast<double>(allocations - before) / runs;
}

Measurement measure(const std::string& subject, Contestant lathe, int threads, const Setting& setting) {
  std::vector<Contestant> contestants = {std::move(lathe)};
  append(contestants, torch_peer::increment());
  Measurement measurement{.subject = subject, .threads = threads, .timings = contest(contestants, setting.pace, 0)};
  for (const Contestant& contestant : contestants) {
    measurement.figures.push_back(
        {fmt::format("allocations of {}", contestant.name), allocations_a_run(contestant), ""});
  }
  return measurement;
}

void run(const Setting& setting, Report& report) {
  report.describe("libtorch", torch_peer::description());
  for (const int threads : setting.threads) {
    Graph graph;
    const Value x = placeholder(graph, "x", f32, {1});
    const Value y = identity(x + 1.0, "y");
    Session session(graph, setting.session(threads));
    const Tensor one = Tensor::from<float>({1}, {1});
    if (setting.wants("prepared call")) {
      Callable call = session.prepare({y}, {x});
      std::span<const Tensor> results;
      report.add(measure(
          "prepared call",
          {.name = "Lathe", .run = [&] { results = call({one}); }, .result = [&] { return numbers(results[0]); }},
          threads, setting));
    }
    if (setting.wants("run by name")) {
      Tensor result;
      report.add(measure("run by name",
                         {.name = "Lathe",
                          .run =
                              [&] {
                                result = session.run("y", {{"x", one}});
                              },
                          .result = [&] { return numbers(result); }},
                         threads, setting));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_benchmark(argc, argv, "overhead",
                       "What a run costs beside its work, shown by adding one to a tensor of one number.", run);
}
