// A convolution of images and both its gradients, as a network's middle layer has them; beside Lathe oneDNN, with the
// filter in the layout that it prefers.

#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "peers/onednn.h"
#include "support/program.h"

#include <lathe/lathe.h>

using namespace lathe;
using namespace lathe::bench;

namespace {

struct Size {
  std::int64_t batch;
  std::int64_t size;  // height and width
  std::int64_t channels;
  std::int64_t filters;
  std::int64_t window;
};

constexpr Size sizes[] = {{32, 28, 64, 64, 3}, {64, 14, 32, 64, 3}, {16, 28, 64, 128, 1}};

/// Numbers in [-0.5, 0.5).
Tensor random_tensor(Extents shape, std::uint64_t seed) {
  Tensor tensor(f32, std::move(shape));
  std::uint64_t number = 0;
  for (float& element : tensor.data<float>()) {
    element = static_cast<float>(data::derive_seed(seed, number++) >> 40U) * 0x1p-24F - 0.5F;
  }
  return tensor;
}

void measure(const Size& s, int threads, const Setting& setting, Report& report) {
  const Tensor x = random_tensor({s.batch, s.size, s.size, s.channels}, 1);
  const Tensor filter = random_tensor({s.window, s.window, s.channels, s.filters}, 2);
  const Tensor dy = random_tensor({s.batch, s.size, s.size, s.filters}, 3);
  const ConvolutionProblem problem{.batch = s.batch,
                                   .size = s.size,
                                   .channels = s.channels,
                                   .filters = s.filters,
                                   .window = s.window,
                                   .x = x.data<float>(),
                                   .filter = filter.data<float>(),
                                   .dy = dy.data<float>(),
                                   .threads = threads};
  Graph graph;
  const Value images = placeholder(graph, "x", f32, to_shape(x.shape()));
  const Value weights = placeholder(graph, "filter", f32, to_shape(filter.shape()));
  const Value slopes = placeholder(graph, "dy", f32, to_shape(dy.shape()));
  const Value y = conv2d(images, weights, {.padding = Padding::same});
  const Values gradient = gradients({y}, {images, weights}, {slopes});
  Session session(graph, setting.session(threads));

  const double flops = 2.0 * static_cast<double>(dy.size() * s.window * s.window * s.channels);
  const auto compare = [&](std::string_view what, Callable callable, std::vector<TensorView> feeds,
                           const std::vector<Contestant>& peers) {
    const std::string subject = fmt::format("{}, {} x {} x {} x {} to {}, window {}", what, s.batch, s.size, s.size,
                                            s.channels, s.filters, s.window);
    if (!setting.wants(subject)) return;
    std::span<const Tensor> result;
    std::vector<Contestant> contestants = {
        {.name = "Lathe", .run = [&] { result = callable(feeds); }, .result = [&] { return numbers(result[0]); }}};
    append(contestants, peers);
    Measurement measurement{
        .subject = subject, .threads = threads, .timings = contest(contestants, setting.pace, 1e-3)};
    measurement.figures = speed_figures(measurement.timings[0].microseconds, flops, setting.peak_gflops(threads));
    report.add(measurement);
  };
  compare("forward", session.prepare({y}, {images, weights}), {x, filter}, onednn::convolution(problem));
  compare("images' gradient", session.prepare({gradient[0]}, {weights, slopes}), {filter, dy},
          onednn::convolution_input_gradient(problem));
  compare("filter's gradient", session.prepare({gradient[1]}, {images, slopes}), {x, dy},
          onednn::convolution_filter_gradient(problem));
}

}  // namespace

int main(int argc, char** argv) {
  return run_benchmark(argc, argv, "conv2d",
                       "Convolutions with zeros around the images, and both gradients: images, height, width and "
                       "channels to filters.",
                       [](const Setting& setting, Report& report) {
                         report.describe("oneDNN", onednn::description());
                         for (const int threads : setting.threads) {
                           for (const Size& size : sizes) measure(size, threads, setting, report);
                         }
                       });
}
