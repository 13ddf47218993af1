#include <lathe/runtime/model/callback.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <lathe/graph/error.h>
#include <lathe/runtime/model/sequential.h>

namespace lathe::nn {

Callback early_stopping(EarlyStopping options) {
  struct State {
    std::optional<double> best;
    std::int64_t waited = 0;
    std::vector<Tensor> weights;
  };
  const auto state = std::make_shared<State>();
  const bool larger = options.larger_is_better.value_or(options.monitor.ends_with("accuracy"));
  Callback callback;
  callback.on_train_begin = [state](FitControl&) { *state = {}; };
  callback.on_epoch_end = [state, options, larger](FitControl& control, const EpochLog& log) {
    const double now = log.values.at(options.monitor);
    const auto better = [&] {
      if (std::isnan(now)) return false;
      if (!state->best) return true;
      return (larger ? now - *state->best : *state->best - now) > options.min_delta;
    };
    if (better()) {
      state->best = now;
      state->waited = 0;
      if (options.restore_best_weights) state->weights = control.model.weights();
      return;
    }
    control.stop = ++state->waited >= options.patience || control.stop;
  };
  callback.on_train_end = [state](FitControl& control) {
    if (!state->weights.empty()) control.model.set_weights(state->weights);
  };
  return callback;
}

Callback csv_log(std::filesystem::path path) {
  const auto file = std::make_shared<std::ofstream>();
  const auto check = [file, path] {
    if (!*file) throw RunError(fmt::format("'{}' cannot be written", path.string()));
  };
  Callback callback;
  callback.on_train_begin = [file, path, check](FitControl&) {
    *file = std::ofstream(path);
    check();
  };
  callback.on_epoch_end = [file, check](FitControl&, const EpochLog& log) {
    if (file->tellp() == 0) {
      *file << "epoch";
      for (const auto& [name, value] : log.values.all) *file << ',' << name;
      *file << '\n';
    }
    *file << log.epoch;
    for (const auto& [name, value] : log.values.all) *file << fmt::format(",{}", value);
    *file << '\n' << std::flush;
    check();
  };
  callback.on_train_end = [file](FitControl&) { file->close(); };
  return callback;
}

Callback learning_rate_schedule(std::function<double(std::int64_t, double)> schedule) {
  return {.on_epoch_begin = [schedule = std::move(schedule)](FitControl& control) {
    control.model.set_learning_rate(schedule(control.epoch, control.model.learning_rate()));
  }};
}

}  // namespace lathe::nn
