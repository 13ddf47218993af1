#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe::nn {

/// A measured quantity and its name: "loss", "accuracy", "val_loss".
using NamedNumber = std::pair<std::string, double>;

/// What one epoch of training came to.
struct EpochLog {
  std::int64_t epoch = 0;  // from 0
  double seconds = 0;      // training only, without validation
  std::vector<NamedNumber> values;

  std::optional<double> find(std::string_view name) const;
};

/// The course of a training.
struct History {
  std::vector<EpochLog> epochs;
  /// Wall time of every training step as called, in microseconds: assembling the batch and running.
  std::vector<float> step_microseconds;

  /// One quantity over all epochs. Throws RunError, listing what there is, if no epoch has it.
  std::vector<double> series(std::string_view name) const;
  /// The median of `step_microseconds`; 0 if no step ran.
  double median_step_microseconds() const;
};

}  // namespace lathe::nn
