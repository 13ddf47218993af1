#include <lathe/runtime/model/callback.h>

#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <lathe/ops/losses.h>
#include <lathe/runtime/model/sequential.h>

#include "../../support/temporary_folder.h"

using namespace lathe;
using namespace lathe::nn;

namespace {

/// A model with one weight, w = 2 at first, and an example x = 1, y = 0: the loss is w^2.
struct OneWeight {
  Sequential model{Dense{.units = 1, .use_bias = false, .kernel_initializer = init::constant(2)}};
  Tensor x = Tensor::from<float>({1, 1}, {1});
  Tensor y = Tensor::from<float>({1, 1}, {0});

  explicit OneWeight(optim::LearningRate rate) {
    model.compile({.optimizer = optim::sgd({.learning_rate = std::move(rate)}), .loss = mean_squared_error});
  }
  History fit(std::vector<Callback> callbacks, std::int64_t epochs = 10) {
    return model.fit(x, y, {.epochs = epochs, .callbacks = std::move(callbacks), .verbosity = Verbosity::silent});
  }
  double weight() const { return model.weights()[0].at(0); }
};

/// Runs a callback over losses as they might come, and returns how many epochs it lets pass.
std::size_t epochs_until_stop(const Callback& callback, const std::vector<double>& losses,
                              std::string name = "val_loss") {
  Sequential none{};
  FitControl control{.model = none, .epochs = static_cast<std::int64_t>(losses.size())};
  callback.on_train_begin(control);
  for (const double loss : losses) {
    callback.on_epoch_end(control, {.epoch = control.epoch++, .values = {{{name, loss}}}});
    if (control.stop) break;
  }
  return static_cast<std::size_t>(control.epoch);
}

}  // namespace

TEST_CASE("early stopping waits for as many epochs without improvement as its patience says") {
  const std::vector<double> losses = {5, 4, 4.5, 3.9, 4, 4.1, 4.2, 1};
  CHECK(epochs_until_stop(early_stopping(), losses) == 3);
  CHECK(epochs_until_stop(early_stopping({.patience = 1}), losses) == 3);
  CHECK(epochs_until_stop(early_stopping({.patience = 2}), losses) == 6);
  CHECK(epochs_until_stop(early_stopping({.patience = 3}), losses) == 7);
  CHECK(epochs_until_stop(early_stopping({.patience = 4}), losses) == 8);
  CHECK(epochs_until_stop(early_stopping({.min_delta = 0.5, .patience = 2}), losses) == 4);
}

TEST_CASE("early stopping knows that accuracy grows and that NaN is never better") {
  CHECK(epochs_until_stop(early_stopping({.monitor = "val_accuracy"}), {0.5, 0.6, 0.7, 0.65}, "val_accuracy") == 4);
  CHECK(epochs_until_stop(early_stopping({.larger_is_better = true}), {1, 2, 3, 2}) == 4);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(epochs_until_stop(early_stopping({.patience = 2}), {nan, nan, 1}) == 2);
}

TEST_CASE("early stopping on what is not measured is an error that lists what is") {
  CHECK_THROWS_WITH_AS(epochs_until_stop(early_stopping({.monitor = "val_los"}), {1}),
                       "no 'val_los' was measured, but val_loss", RunError);
}

TEST_CASE("early stopping restores the best weights") {
  OneWeight best(0.0);
  // A rate of 0.25 halves the weight, one of 1.5 doubles it and turns its sign.
  const auto worse_after_two =
      learning_rate_schedule([](std::int64_t epoch, double) { return epoch < 2 ? 0.25 : 1.5; });
  const auto stop = early_stopping({.monitor = "loss", .patience = 2, .restore_best_weights = true});
  const History history = best.fit({worse_after_two, stop});
  // Losses while training, before each update: 4, 1, 0.25, 1, 4, ...; the weight after the third is -1.
  CHECK(history.series("loss") == std::vector<double>{4, 1, 0.25, 1, 4});
  CHECK(best.weight() == -1);
}

TEST_CASE("a schedule sets the rate of every epoch without compiling again") {
  OneWeight problem(0.25);
  std::vector<double> seen;
  const auto halve = learning_rate_schedule([&](std::int64_t epoch, double rate) {
    seen.push_back(rate);
    return epoch == 0 ? rate : rate / 2;
  });
  problem.fit({halve}, 3);
  CHECK(seen == std::vector<double>{0.25, 0.25, 0.125});
  CHECK(problem.model.learning_rate() == 0.0625);
  CHECK(problem.weight() == 2 * (1 - 2 * 0.25) * (1 - 2 * 0.125) * (1 - 2 * 0.0625));
}

TEST_CASE("a rate that is computed in the graph cannot be set") {
  OneWeight problem(optim::exponential_decay({.initial_rate = 0.1}));
  const auto schedule = learning_rate_schedule([](std::int64_t, double rate) { return rate; });
  CHECK_THROWS_WITH_AS(problem.fit({schedule}),
                       "the optimizer's learning rate is computed in the graph: it can be neither asked for nor set",
                       RunError);
}

TEST_CASE("the CSV log has a line an epoch") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "log.csv";
  OneWeight problem(0.25);
  problem.fit({csv_log(path)}, 3);
  CHECK(test::slurp(path) == "epoch,loss\n0,4\n1,1\n2,0.25\n");
  CHECK_THROWS_WITH_AS(problem.fit({csv_log("/nowhere/log.csv")}), "'/nowhere/log.csv' cannot be written", RunError);
}

TEST_CASE("a callback can stop the training") {
  OneWeight problem(0.25);
  const Callback stop_at_two = {
      .on_epoch_end = [](FitControl& control, const EpochLog& log) { control.stop = log.epoch == 1; }};
  CHECK(problem.fit({stop_at_two}).epochs.size() == 2);
}
