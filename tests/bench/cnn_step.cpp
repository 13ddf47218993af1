// The training step of a convolutional network (two convolutions with pooling, two dense layers, Adam), batch assembly
// included; beside it libtorch with its own layout of images and with channels last.

#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "peers/torch.h"
#include "support/classifier.h"
#include "support/program.h"

using namespace lathe;
using namespace lathe::bench;

namespace {

constexpr std::uint64_t seed = 1;

/// Lathe's side: a session, and the rows of the data set that its steps pick.
class LatheStep {
 public:
  LatheStep(const TrainingData& data, std::int64_t batch, const SessionOptions& options)
      : batches_(data::Dataset({data.images, data.labels}),
                 {.size = batch, .shuffle_seed = seed, .drop_remainder = true}) {
    images_ = placeholder(graph_, "images", u8, {dim("batch"), 28, 28});
    labels_ = placeholder(graph_, "labels", u8, {dim("batch")});
    Value x = reshape(cast(images_, f32) * (1.0 / 255), {dim("batch"), 28, 28, 1});
    x = max_pool2d(nn::conv2d(x, Cnn::first_filters, 3, {.activation = relu}), 2);
    x = max_pool2d(nn::conv2d(x, Cnn::second_filters, 3, {.activation = relu}), 2);
    x = nn::dense(flatten(x), Cnn::hidden, {.activation = relu});
    const Value loss = mean(sparse_softmax_cross_entropy(labels_, nn::dense(x, Cnn::classes)));
    const Value train = optim::adam().minimize(loss);
    session_.emplace(graph_, options);
    session_->initialize(seed);
    step_.emplace(session_->prepare({loss, train}, {images_, labels_}));
  }

  void run() {
    auto batch = batches_.next();
    if (batch.empty()) {
      batches_.start(++epoch_);
      batch = batches_.next();
    }
    loss_ = (*step_)(batch)[0].item<float>();
  }
  float loss() const { return loss_; }
  Cnn parameters() const {
    const auto read = [&](std::string_view name) {
      const Tensor tensor = session_->variable(name);
      return std::vector<float>(tensor.data<float>().begin(), tensor.data<float>().end());
    };
    return {read("conv2d/kernel"), read("conv2d/bias"), read("conv2d_1/kernel"), read("conv2d_1/bias"),
            read("dense/kernel"),  read("dense/bias"),  read("dense_1/kernel"),  read("dense_1/bias")};
  }

 private:
  Graph graph_;
  Value images_;
  Value labels_;
  std::optional<Session> session_;
  std::optional<Callable> step_;
  data::Batches batches_;
  std::int64_t epoch_ = 0;
  float loss_ = 0;
};

/// Products and sums of the contractions; the first layer's images need no gradient.
double step_flops(std::int64_t batch) {
  const double first = 26.0 * 26 * 9 * Cnn::first_filters;
  const double second = 11.0 * 11 * 9 * Cnn::first_filters * Cnn::second_filters;
  const double dense = static_cast<double>(Cnn::flat * Cnn::hidden + Cnn::hidden * Cnn::classes);
  return 2 * static_cast<double>(batch) * (2 * first + 3 * second + 3 * dense);
}

}  // namespace

int main(int argc, char** argv) {
  return run_benchmark(
      argc, argv, "cnn_step",
      "A step of training a network of two convolutions and two dense layers with Adam, batch assembly from u8 images "
      "included.",
      [](const Setting& setting, Report& report) {
        report.describe("libtorch", torch_peer::description());
        const TrainingData data = training_data();
        for (const int threads : setting.threads) {
          for (const std::int64_t batch : {32, 128}) {
            const std::string subject = fmt::format("batch {}", batch);
            if (!setting.wants(subject)) continue;
            LatheStep lathe(data, batch, setting.session(threads));
            std::vector<Contestant> contestants = {{.name = "Lathe",
                                                    .run = [&] { lathe.run(); },
                                                    .result = [&] { return std::vector<double>{lathe.loss()}; }}};
            append(contestants, torch_peer::cnn_step({.images = data.images.data<std::uint8_t>(),
                                                      .labels = data.labels.data<std::uint8_t>(),
                                                      .initial = lathe.parameters(),
                                                      .batch = batch,
                                                      .shuffle_seed = seed,
                                                      .threads = threads}));
            Measurement measurement{
                .subject = subject, .threads = threads, .timings = contest(contestants, setting.pace, 0.01)};
            measurement.figures =
                speed_figures(measurement.timings[0].microseconds, step_flops(batch), setting.peak_gflops(threads));
            report.add(measurement);
          }
        }
      });
}
