// c = a b at the sizes of the classifier's forward and backward passes, at squares, and at awkward sizes; beside Lathe
// oneDNN, with b as given and with b packed beforehand, and OpenBLAS. Only products in f64 are without oneDNN.

#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "peers/onednn.h"
#include "peers/openblas.h"
#include "support/program.h"

#include <lathe/lathe.h>

using namespace lathe;
using namespace lathe::bench;

namespace {

struct Size {
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
  bool transpose_a = false;
  bool transpose_b = false;
};

constexpr Size f32_sizes[] = {
    {32, 128, 784},                                      // forward: images times kernel
    {.m = 784, .n = 128, .k = 32, .transpose_a = true},  // the kernel's gradient
    {.m = 32, .n = 784, .k = 128, .transpose_b = true},  // the images' gradient
    {128, 128, 784},
    {10000, 128, 784},
    {256, 256, 256},
    {1024, 1024, 1024},
    {2048, 2048, 2048},
    {1, 128, 784},                                         // one image
    {17, 33, 65},                                          // a multiple of nothing
    {1000, 1000, 1},                                       // an outer product
    {64, 10, 128},                                         // the last layer
    {.m = 1, .n = 1024, .k = 1024, .transpose_b = true},   // rows of weights times a vector
    {512, 512, 8192},                                      // a long sum
    {.m = 512, .n = 512, .k = 8192, .transpose_a = true},  // the kernel's gradient for a large batch
};

constexpr Size f64_sizes[] = {{1024, 1024, 1024}};

/// "784 x 128 x 32, a transposed": m, n and k.
std::string subject(const Size& size, std::string_view dtype) {
  return fmt::format("{} x {} x {}{}{}{}", size.m, size.n, size.k, size.transpose_a ? ", a transposed" : "",
                     size.transpose_b ? ", b transposed" : "", dtype == "f32" ? "" : ", f64");
}

template <class T>
Tensor random_matrix(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  Tensor tensor(*dtype_of<T>, {rows, columns});
  std::uint64_t number = 0;
  for (T& element : tensor.data<T>()) {
    element = static_cast<T>(static_cast<double>(data::derive_seed(seed, number++) >> 11U) * 0x1p-53 - 0.5);
  }
  return tensor;
}

/// Whom to measure beside Lathe.
std::vector<Contestant> peers(const MatmulProblem<float>& problem) {
  auto contestants = onednn::matmul(problem);
  append(contestants, openblas::matmul(problem));
  return contestants;
}

std::vector<Contestant> peers(const MatmulProblem<double>& problem) {
  return openblas::matmul(problem);
}

template <class T>
Measurement measure(const Size& size, int threads, const Setting& setting) {
  constexpr DType dtype = *dtype_of<T>;
  const auto matrix = [](std::int64_t rows, std::int64_t columns, bool transposed, std::uint64_t seed) {
    return transposed ? random_matrix<T>(columns, rows, seed) : random_matrix<T>(rows, columns, seed);
  };
  const Tensor a = matrix(size.m, size.k, size.transpose_a, 1);
  const Tensor b = matrix(size.k, size.n, size.transpose_b, 2);

  Graph graph;
  const Value x = placeholder(graph, "a", dtype, to_shape(a.shape()));
  const Value y = placeholder(graph, "b", dtype, to_shape(b.shape()));
  Session session(graph, setting.session(threads));
  Callable multiply =
      session.prepare({matmul(x, y, {.transpose_a = size.transpose_a, .transpose_b = size.transpose_b})}, {x, y});
  std::span<const Tensor> c;
  std::vector<Contestant> contestants = {{.name = "Lathe",
                                          .run =
                                              [&] {
                                                c = multiply({a, b});
                                              },
                                          .result = [&] { return numbers(c[0]); }}};
  append(contestants, peers(MatmulProblem<T>{.m = size.m,
                                             .n = size.n,
                                             .k = size.k,
                                             .transpose_a = size.transpose_a,
                                             .transpose_b = size.transpose_b,
                                             .a = a.data<T>(),
                                             .b = b.data<T>(),
                                             .threads = threads}));

  Measurement measurement{.subject = subject(size, to_string(dtype)),
                          .threads = threads,
                          .timings = contest(contestants, setting.pace, sizeof(T) == 4 ? 1e-4 : 1e-12)};
  const double flops = 2.0 * static_cast<double>(size.m * size.n * size.k);
  measurement.figures =
      speed_figures(measurement.timings[0].microseconds, flops, setting.peak_gflops(threads, sizeof(T)));
  return measurement;
}

}  // namespace

int main(int argc, char** argv) {
  return run_benchmark(argc, argv, "matmul",
                       "Products of matrices in f32 unless said otherwise; sizes are rows and columns of the product, "
                       "and the length of its sums.",
                       [](const Setting& setting, Report& report) {
                         report.describe("oneDNN", onednn::description());
                         report.describe("OpenBLAS", openblas::description());
                         for (const int threads : setting.threads) {
                           for (const Size& size : f32_sizes) {
                             if (!setting.wants(subject(size, "f32"))) continue;
                             report.add(measure<float>(size, threads, setting));
                           }
                           for (const Size& size : f64_sizes) {
                             if (!setting.wants(subject(size, "f64"))) continue;
                             report.add(measure<double>(size, threads, setting));
                           }
                         }
                       });
}
