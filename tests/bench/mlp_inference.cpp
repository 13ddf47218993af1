// Probabilities from u8 images by the 784-128-10 classifier, for one image and for many; beside Lathe libtorch in
// inference mode, and a composition of oneDNN's primitives.

#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "peers/onednn.h"
#include "peers/torch.h"
#include "support/classifier.h"
#include "support/program.h"

using namespace lathe;
using namespace lathe::bench;

namespace {

Measurement measure(const TrainingData& data, std::int64_t batch, int threads, const Setting& setting) {
  Classifier classifier;
  Session session(classifier.graph, setting.session(threads));
  session.initialize(1);
  Callable predict = session.prepare({classifier.probabilities}, {classifier.images});
  const Extents shape = {batch, 28, 28};
  const TensorView images{u8, shape, data.images.bytes().data()};
  std::span<const Tensor> probabilities;
  std::vector<Contestant> contestants = {{.name = "Lathe",
                                          .run = [&] { probabilities = predict({images}); },
                                          .result = [&] { return numbers(probabilities[0]); }}};
  const InferenceProblem problem{
      .images = data.images.data<std::uint8_t>().first(static_cast<std::size_t>(batch * Mlp::pixels)),
      .batch = batch,
      .model = parameters(session),
      .threads = threads};
  append(contestants, onednn::inference(problem));
  append(contestants, torch_peer::inference(problem));

  Measurement measurement{.subject = fmt::format("batch {}", batch),
                          .threads = threads,
                          .timings = contest(contestants, setting.pace, 1e-4)};
  const double flops = 2.0 * static_cast<double>(batch * (Mlp::pixels + Mlp::classes) * Mlp::hidden);
  measurement.figures = speed_figures(measurement.timings[0].microseconds, flops, setting.peak_gflops(threads));
  return measurement;
}

}  // namespace

int main(int argc, char** argv) {
  return run_benchmark(argc, argv, "mlp_inference", "Class probabilities from u8 images by a 784-128-10 classifier.",
                       [](const Setting& setting, Report& report) {
                         report.describe("oneDNN", onednn::description());
                         report.describe("libtorch", torch_peer::description());
                         const TrainingData data = training_data();
                         for (const int threads : setting.threads) {
                           for (const std::int64_t batch : {1, 32, 10000}) {
                             if (setting.wants(fmt::format("batch {}", batch)))
                               report.add(measure(data, batch, threads, setting));
                           }
                         }
                       });
}
