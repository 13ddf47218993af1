// Softmax, layer norm, GELU, a transposition and Adam's update, in cache and out of cache; beside Lathe libtorch, and
// the copying of as many bytes as the operation cannot help but move.

#include <malloc.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "peers/torch.h"
#include "support/copy.h"
#include "support/program.h"

#include <lathe/lathe.h>

using namespace lathe;
using namespace lathe::bench;

namespace {

/// The size of a tensor that an operation reads.
struct Place {
  std::string name;
  std::int64_t rows;
  std::int64_t columns;

  std::int64_t size() const { return rows * columns; }
};

const Place places[] = {{"in cache", 64, 256}, {"out of cache", 16384, 1024}};

/// Numbers in [-2, 2).
Tensor random_tensor(Extents shape) {
  Tensor tensor(f32, std::move(shape));
  std::uint64_t number = 0;
  for (float& element : tensor.data<float>()) {
    element = static_cast<float>(data::derive_seed(1, number++) >> 40U) * 0x1p-22F - 2;
  }
  return tensor;
}

Value layer_norm(const Value& x) {
  const Shape columns = {x.shape()[1]};
  const Variable scale = variable(x.graph(), "scale", fill(x.graph(), columns, 1));
  const Variable offset = variable(x.graph(), "offset", fill(x.graph(), columns, 0));
  const Value centered = x - mean(x, {-1}, true);
  const Value variance = mean(square(centered), {-1}, true);
  return centered * rsqrt(variance + 1e-5) * scale + offset;
}

Value gelu(const Value& x) {
  return x * 0.5 * (1.0 + erf(x * std::sqrt(0.5)));
}

/// Times Lathe and its peers beside a copy, which becomes a figure.
Measurement against_copy(const std::string& subject, std::vector<Contestant> contestants, std::size_t bytes_moved,
                         int threads, const Setting& setting) {
  Copy copy(bytes_moved, threads);
  contestants.push_back({.name = "copy", .run = [&] { copy.run(); }});
  Measurement measurement{.subject = subject, .threads = threads, .timings = contest(contestants, setting.pace, 1e-4)};
  const double copy_ratio = measurement.timings.back().ratio;
  measurement.timings.pop_back();
  measurement.figures = {
      {"moves", static_cast<double>(bytes_moved) / measurement.timings[0].microseconds * 1e-3, "GB/s"},
      {"of copying", 100 * copy_ratio, "%"}};
  return measurement;
}

/// A function of rows, and libtorch's contestants for it.
struct Function {
  std::string name;
  Value (*build)(const Value& x);
  std::vector<Contestant> (*peers)(const RowsProblem& problem);
};

const Function functions[] = {
    {"softmax", [](const Value& x) { return softmax(x); }, torch_peer::softmax},
    {"layer norm", layer_norm, torch_peer::layer_norm},
    {"GELU", gelu, torch_peer::gelu},
    {"transposition", [](const Value& x) { return transpose(x); }, torch_peer::transpose},
};

Measurement measure(const Function& function, const Place& place, int threads, const Setting& setting) {
  const Tensor input = random_tensor({place.rows, place.columns});
  Graph graph;
  const Value x = placeholder(graph, "x", f32, {dim("rows"), place.columns});
  Session session(graph, setting.session(threads));
  const Value result = function.build(x);
  session.initialize();
  Callable apply = session.prepare({result}, {x});
  std::span<const Tensor> y;
  std::vector<Contestant> contestants = {
      {.name = "Lathe", .run = [&] { y = apply({input}); }, .result = [&] { return numbers(y[0]); }}};
  append(contestants,
         function.peers({.rows = place.rows, .columns = place.columns, .x = input.data<float>(), .threads = threads}));
  const std::size_t bytes_moved = 2 * input.bytes().size();
  return against_copy(fmt::format("{}, {}", function.name, place.name), std::move(contestants), bytes_moved, threads,
                      setting);
}

Measurement measure_adam(const Place& place, int threads, const Setting& setting) {
  Tensor gradient = random_tensor({place.size()});
  // Away from 0, where the optimizers' epsilons, which stand in different places, would matter.
  for (float& g : gradient.data<float>()) g += g < 0 ? -0.5F : 0.5F;
  Graph graph;
  const Value g = placeholder(graph, "g", f32, {place.size()});
  const Variable w = variable(graph, "w", fill(graph, {place.size()}, 0));
  const Value train = optim::adam().apply_gradients({{g, w}});
  Session session(graph, setting.session(threads));
  session.initialize();
  Callable update = session.prepare({train}, {g});
  std::vector<Contestant> contestants = {
      {.name = "Lathe", .run = [&] { update({gradient}); }, .result = [&] { return numbers(session.variable(w)); }}};
  append(contestants, torch_peer::adam({.gradient = gradient.data<float>(), .threads = threads}));
  const std::size_t bytes_moved = (4 + 3) * gradient.bytes().size();  // reads w, m, v and g, writes w, m and v
  return against_copy(fmt::format("Adam, {}", place.name), std::move(contestants), bytes_moved, threads, setting);
}

}  // namespace

int main(int argc, char** argv) {
  // libtorch's results are new memory each time: let freed memory serve again instead of asking the system for pages.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  return run_benchmark(
      argc, argv, "elementwise",
      fmt::format("Operations that mostly move memory: f32, on {} x {} elements in cache and {} x {} out of cache. "
                  "Beside copying as many bytes; Adam, which updates in place, can be faster than that.",
                  places[0].rows, places[0].columns, places[1].rows, places[1].columns),
      [](const Setting& setting, Report& report) {
        report.describe("libtorch", torch_peer::description());
        for (const int threads : setting.threads) {
          for (const Place& place : places) {
            for (const Function& function : functions) {
              if (!setting.wants(fmt::format("{}, {}", function.name, place.name))) continue;
              report.add(measure(function, place, threads, setting));
            }
            if (!setting.wants(fmt::format("Adam, {}", place.name))) continue;
            report.add(measure_adam(place, threads, setting));
          }
        }
      });
}
