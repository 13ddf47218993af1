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

/// Measured quantities, in the order in which they are shown.
struct Measurements {
  std::vector<NamedNumber> all;

  std::optional<double> find(std::string_view name) const;
  /// Throws RunError, listing what there is, if there is no such quantity.
  double at(std::string_view name) const;
};

/// What one epoch of training came to.
struct EpochLog {
  std::int64_t epoch = 0;  // from 0
  double seconds = 0;      // training only, without validation
  Measurements values = {};
};

/// The course of a training.
struct History {
  std::vector<EpochLog> epochs;
  /// Wall time of every training step as called, in microseconds, batch assembly included; steps that ran in one call
  /// share its time equally.
  std::vector<float> step_microseconds;

  /// One quantity over all epochs. Throws RunError, listing what there is, if an epoch lacks it.
  std::vector<double> series(std::string_view name) const;
  /// The median of `step_microseconds`; 0 if no step ran.
  double median_step_microseconds() const;
};

}  // namespace lathe::nn
