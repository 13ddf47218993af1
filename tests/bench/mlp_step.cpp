// The training step of the 784-128-10 classifier (ReLU, sparse softmax cross-entropy, Adam), batch assembly included,
// at several batch sizes and thread counts; beside it the same step in libtorch and composed of oneDNN's primitives.
// All start from the same weights and see the same batches.

#include <cstdint>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "peers/batch_order.h"
#include "peers/onednn.h"
#include "peers/torch.h"
#include "support/classifier.h"
#include "support/fma_peak.h"
#include "support/program.h"

using namespace lathe;
using namespace lathe::bench;

namespace {

constexpr std::uint64_t seed = 1;

/// Floating-point operations of a step: products and sums of the contractions, which are all but the whole.
double step_flops(std::int64_t batch) {
  const double forward = 2.0 * static_cast<double>(batch * (Mlp::pixels * Mlp::hidden + Mlp::hidden * Mlp::classes));
  const double weight_gradients = forward;
  const double hidden_gradient = 2.0 * static_cast<double>(batch * Mlp::hidden * Mlp::classes);
  return forward + weight_gradients + hidden_gradient;
}

/// Microseconds that a core's multiplying units are busy with a step, whatever runs it: with the contractions, with a
/// scale for each pixel, and with Adam. 0 if unknown.
double limit(std::int64_t batch, const Setting& setting) {
  const double update_ns = update_nanoseconds();
  if (update_ns == 0) return 0;
  constexpr auto parameters = static_cast<double>((Mlp::pixels + 1) * Mlp::hidden + (Mlp::hidden + 1) * Mlp::classes);
  const double scaling = 2.0 * static_cast<double>(batch * Mlp::pixels);  // a multiplication is as long as a fused one
  const double contraction_ns = (step_flops(batch) + scaling) / setting.fma_peak_gflops;
  return (contraction_ns + parameters * update_ns) / 1000;
}

/// Lathe's side: a session that is shown all the data and told which rows are the batch.
class LatheStep {
 public:
  LatheStep(const TrainingData& data, std::int64_t batch, const SessionOptions& options)
      : data_(data),
        batch_(batch),
        order_(data.labels.shape()[0], batch, seed),
        session_(classifier_.graph, options),
        step_(prepare()) {}

  void run() {
    const TensorView rows{i64, std::span(&batch_, 1), reinterpret_cast<const std::byte*>(order_.next().data())};
    loss_ = step_({data_.images, data_.labels, rows})[0].item<float>();
  }
  float loss() const { return loss_; }
  Mlp parameters() const { return bench::parameters(session_); }
  ProgramStatistics statistics() const { return step_.statistics(); }

 private:
  Callable prepare() {
    const Value train = classifier_.train();
    session_.initialize(seed);
    return session_.prepare({classifier_.loss, train},
                            {classifier_.all_images, classifier_.all_labels, classifier_.rows});
  }

  const TrainingData& data_;
  std::int64_t batch_;
  BatchOrder order_;
  Classifier classifier_;
  Session session_;
  Callable step_;
  float loss_ = 0;
};

Measurement measure(const TrainingData& data, std::int64_t batch, int threads, const Setting& setting) {
  LatheStep lathe(data, batch, setting.session(threads));
  std::vector<Contestant> contestants = {
      {.name = "Lathe", .run = [&] { lathe.run(); }, .result = [&] { return std::vector<double>{lathe.loss()}; }}};
  const TrainingProblem problem{.images = data.images.data<std::uint8_t>(),
                                .labels = data.labels.data<std::uint8_t>(),
                                .initial = lathe.parameters(),
                                .batch = batch,
                                .shuffle_seed = seed,
                                .threads = threads};
  append(contestants, onednn::training_step(problem));
  append(contestants, torch_peer::training_step(problem));

  // libtorch's epsilon stands elsewhere, so losses agree to a few digits only.
  Measurement measurement{.subject = fmt::format("batch {}", batch),
                          .threads = threads,
                          .timings = contest(contestants, setting.pace, 0.005)};
  measurement.figures =
      speed_figures(measurement.timings[0].microseconds, step_flops(batch), setting.peak_gflops(threads));
  const double least = threads == 1 ? limit(batch, setting) : 0;
  if (least > 0) measurement.figures.push_back({"limit", least, "us"});
  measurement.figures.push_back({"kernels", static_cast<double>(lathe.statistics().kernels), ""});
  return measurement;
}

}  // namespace

int main(int argc, char** argv) {
  return run_benchmark(argc, argv, "mlp_step",
                       "A step of training a 784-128-10 classifier with Adam, batch assembly from u8 images included. "
                       "The limit is how long the multiplying units of one core are busy with it if they never wait: "
                       "with the contractions at the FMA peak, a scale for each pixel, and Adam's multiplications, "
                       "square roots and divisions.",
                       [](const Setting& setting, Report& report) {
                         report.describe("oneDNN", onednn::description());
                         report.describe("libtorch", torch_peer::description());
                         const TrainingData data = training_data();
                         for (const int threads : setting.threads) {
                           for (const std::int64_t batch : {32, 128, 1024}) {
                             if (setting.wants(fmt::format("batch {}", batch)))
                               report.add(measure(data, batch, threads, setting));
                           }
                         }
                       });
}
