// Ops that run at once: what the smallest costs, and the training step of the 784-128-10 classifier op by op under a
// tape; beside libtorch's.

#include <cstdint>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "peers/batch_order.h"
#include "peers/torch.h"
#include "support/classifier.h"
#include "support/program.h"

using namespace lathe;
using namespace lathe::bench;

namespace {

constexpr std::uint64_t seed = 1;

/// The classifier on arrays, trained on batches gathered from all the data.
class Trainer {
 public:
  Trainer(const TrainingData& data, std::int64_t batch, const Mlp& initial, const SessionOptions& options)
      : batch_(batch),
        order_(data.labels.shape()[0], batch, seed),
        context_(options),
        images_(context_.array(data.images)),
        labels_(context_.array(data.labels)),
        weights_({weights("w1", {Mlp::pixels, Mlp::hidden}, initial.w1), weights("b1", {Mlp::hidden}, initial.b1),
                  weights("w2", {Mlp::hidden, Mlp::classes}, initial.w2), weights("b2", {Mlp::classes}, initial.b2)}),
        optimizer_(context_, optim::adam()) {}

  /// A step on the rows of a batch; the loss.
  Value step(const Value& rows) {
    eager::GradientTape tape(context_);
    const Value x = flatten(cast(gather(images_, rows), f32) * (1.0 / 255));
    const Value hidden = relu(matmul(x, weights_[0]) + weights_[1]);
    const Value logits = matmul(hidden, weights_[2]) + weights_[3];
    const Value loss = mean(sparse_softmax_cross_entropy(gather(labels_, rows), logits));
    optimizer_.apply_gradients(tape.gradient(loss, weights_), weights_);
    return loss;
  }

  Value next_rows() {
    const std::byte* rows = reinterpret_cast<const std::byte*>(order_.next().data());
    return context_.array(TensorView{i64, std::span(&batch_, 1), rows});
  }

 private:
  Value weights(std::string_view name, Extents shape, const std::vector<float>& values) {
    return variable(context_, name, Tensor::from<float>(std::move(shape), std::span(values))).value;
  }

  std::int64_t batch_;
  BatchOrder order_;
  eager::Context context_;
  Value images_, labels_;
  Values weights_;
  eager::Optimizer optimizer_;
};

Measurement measure_step(const TrainingData& data, std::int64_t batch, int threads, const Setting& setting) {
  Classifier classifier;
  classifier.train();
  Session session(classifier.graph, setting.session(threads));
  session.initialize(seed);
  const Mlp initial = parameters(session);

  Trainer trainer(data, batch, initial, setting.session(threads));
  eager::Array loss;
  const auto result = [&] { return std::vector<double>{loss.item<float>()}; };
  std::vector<Contestant> contestants = {
      {.name = "Lathe", .run = [&] { loss = trainer.step(trainer.next_rows()); }, .result = result}};
  append(contestants, torch_peer::training_step({.images = data.images.data<std::uint8_t>(),
                                                 .labels = data.labels.data<std::uint8_t>(),
                                                 .initial = initial,
                                                 .batch = batch,
                                                 .shuffle_seed = seed,
                                                 .threads = threads}));
  // libtorch's epsilon stands elsewhere, so losses agree to a few digits only.
  return {.subject = fmt::format("training step, batch {}", batch),
          .threads = threads,
          .timings = contest(contestants, setting.pace, 0.005)};
}

Measurement measure_sum(std::int64_t size, const Setting& setting) {
  eager::Context context(setting.session(1));
  const eager::Array x = fill(context, {size}, 1);
  const eager::Array y = fill(context, {size}, 1);
  eager::Array z;
  std::vector<Contestant> contestants = {
      {.name = "Lathe", .run = [&] { z = x + y; }, .result = [&] { return numbers(z.tensor()); }}};
  append(contestants, torch_peer::small_sum(size));
  return {.subject = fmt::format("x + y, {} numbers", size),
          .threads = 1,
          .timings = contest(contestants, setting.pace, 0)};
}

}  // namespace

int main(int argc, char** argv) {
  return run_benchmark(argc, argv, "eager",
                       "Ops that run at once: the sum of two small arrays, and the training step of mlp_step.",
                       [](const Setting& setting, Report& report) {
                         report.describe("libtorch", torch_peer::description());
                         if (setting.wants("x + y, 16 numbers")) report.add(measure_sum(16, setting));
                         const TrainingData data = training_data();
                         for (const int threads : setting.threads) {
                           for (const std::int64_t batch : {32, 128, 1024}) {
                             if (setting.wants(fmt::format("training step, batch {}", batch)))
                               report.add(measure_step(data, batch, threads, setting));
                           }
                         }
                       });
}
