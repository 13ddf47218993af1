#pragma once

#include <cstdint>
#include <vector>

#include <lathe/runtime/options.h>

#include "laboratory.h"
#include "problem.h"
#include "way.h"

namespace lathe::laboratory {

/// Lets all ways take the same steps, and compares their losses step by step and their weights at the end. Stops at the
/// first loss that differs.
Agreement compare(const std::vector<Way>& ways, const Problem& problem, const SessionOptions& options,
                  std::int64_t batch, std::int64_t steps);

/// Times the way from its beginning to its first loss, each time in a process of its own: first without a cache of
/// programs, then with a cache in `folder` that has them.
void measure_first_results(const Way& way, const Problem& problem, const SessionOptions& options,
                           const std::filesystem::path& folder, Figures& figures);

/// The first step at which a runner that was slower to start has taken no longer altogether than the other one; nothing
/// if it never catches up. All times in the same unit.
std::optional<std::int64_t> catching_up(double first, double later, double other_first, double other_later);

/// Measures all ways at one batch size, with figures for each that have its first results. For the times of steps the
/// ways take turns in short blocks, so that a change of the machine's speed meets all alike.
void measure_steps(const std::vector<Way>& ways, const Problem& problem, const SessionOptions& options,
                   double milliseconds, std::span<Figures> figures);

}  // namespace lathe::laboratory
