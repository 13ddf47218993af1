#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "way.h"

namespace lathe::laboratory {

struct Settings {
  std::vector<std::int64_t> batches = {1, 8, 32, 128, 1024};
  std::int64_t epochs = 1;    // in which all steps are compared, at batch 32
  std::int64_t steps = 100;   // that are compared at each of `batches`
  double milliseconds = 400;  // that each way is timed for, at each of `batches`
  int threads = 1;
  std::uint64_t seed = 1;
  std::optional<std::int64_t> limit = std::nullopt;  // of examples
  std::optional<std::filesystem::path> data = std::nullopt;
};

/// How ways that took the same steps agree.
struct Agreement {
  std::int64_t batch = 0;
  std::int64_t steps = 0;
  float first_loss = 0;
  float last_loss = 0;
  /// Where the exact ways first differ, in words; empty if all losses, and all weights at the end, have the same bits.
  std::string difference = {};
  /// The largest difference of another way's loss from theirs.
  std::optional<double> distance = std::nullopt;
};

/// After how many steps a static way has taken no longer than the eager one, from the very beginning; nothing: never.
struct BreakEven {
  std::optional<std::int64_t> cold;    // both compile all they need
  std::optional<std::int64_t> warm;    // both find it in the cache of programs
  std::optional<std::int64_t> edited;  // a new graph is compiled, while the ops of the eager way are in the cache
};

/// What a way takes at one batch size.
struct Figures {
  char way = 'a';
  std::int64_t batch = 0;
  double step_us = 0;  // the median
  Costs costs = {};
  double allocations = 0;           // a step
  double first_result_ms = 0;       // from nothing to the first loss, without a cache of programs
  double first_result_warm_ms = 0;  // with all programs in the cache; the same where nothing is compiled
  std::optional<double> kernels_us = std::nullopt;        // a step, while profiling
  std::optional<double> profiled_step_us = std::nullopt;  // the whole step, while profiling
  std::optional<BreakEven> break_even = std::nullopt;     // of static ways
};

struct Results {
  Settings settings;
  std::vector<Way> ways;
  std::vector<Agreement> agreements;  // of the epochs first
  std::vector<Figures> figures;       // by batch, then by way

  bool bits_equal() const;
};

/// Runs all ways. For a process that has used neither threads nor compiler yet.
Results investigate(const Settings& settings);

}  // namespace lathe::laboratory
