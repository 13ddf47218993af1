#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <lathe/runtime/model/history.h>

namespace lathe::nn {

class Sequential;

/// What callbacks can see and do while fit runs.
struct FitControl {
  Sequential& model;
  std::int64_t epoch = 0;   // from 0
  std::int64_t epochs = 0;  // where it will stop
  /// Set to end training after this epoch.
  bool stop = false;
};

/// Something to do at certain points of a training; what is left out is not done. A callback serves one fit at a time.
struct Callback {
  std::function<void(FitControl&)> on_train_begin = {};
  std::function<void(FitControl&)> on_epoch_begin = {};
  std::function<void(FitControl&, const EpochLog&)> on_epoch_end = {};
  std::function<void(FitControl&)> on_train_end = {};
};

struct EarlyStopping {
  std::string monitor = "val_loss";
  /// How much better counts as better.
  double min_delta = 0;
  /// How many epochs without improvement end the training; as in Keras, 0 is as good as 1.
  std::int64_t patience = 0;
  /// Whether larger is better; by default so for names that end in "accuracy".
  std::optional<bool> larger_is_better = std::nullopt;
  /// Whether to end with the weights of the best epoch instead of the last.
  bool restore_best_weights = false;
};
/// Ends training when a quantity stops getting better. Throws RunError, at the end of an epoch, if there is no such
/// quantity; NaN is never better.
Callback early_stopping(EarlyStopping options = {});

/// Writes a line an epoch: "epoch,loss,accuracy,..." and then the numbers with all their digits. Throws RunError if the
/// file cannot be written.
Callback csv_log(std::filesystem::path path);

/// Sets the learning rate before each epoch, from the epoch's number and the rate so far. Throws RunError if the
/// optimizer's rate is not a number.
Callback learning_rate_schedule(std::function<double(std::int64_t epoch, double rate)> schedule);

}  // namespace lathe::nn
