#include "contest.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <thread>

#include <fmt/format.h>

#include <lathe/graph/error.h>

#include "statistics.h"

namespace lathe::bench {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

void prepare(const Contestant& contestant) {
  if (contestant.prepare) contestant.prepare();
}

void compare(const std::string& name, const std::vector<double>& found, const std::vector<double>& expected,
             double tolerance) {
  if (found.size() != expected.size()) {
    throw Error(fmt::format("{} computes {} numbers instead of {}", name, found.size(), expected.size()));
  }
  double largest = 0;
  for (const double number : expected) largest = std::max(largest, std::abs(number));
  for (std::size_t i = 0; i < found.size(); ++i) {
    // Written so that a NaN fails.
    if (std::abs(found[i] - expected[i]) <= tolerance * largest) continue;
    throw Error(
        fmt::format("{} computes something else: element {} is {} instead of {}", name, i, found[i], expected[i]));
  }
}

void compare_results(std::span<const Contestant> contestants, double tolerance) {
  constexpr int runs = 3;  // more than one, for those that keep state
  for (int run = 0; run < runs; ++run) {
    std::vector<double> expected;
    for (const Contestant& contestant : contestants) {
      prepare(contestant);
      contestant.run();
      if (!contestant.result) continue;
      std::vector<double> found = contestant.result();
      if (expected.empty()) {
        expected = std::move(found);
      } else {
        compare(contestant.name, found, expected, tolerance);
      }
    }
  }
}

/// The fastest of a few timings of so many runs.
double fastest(const Contestant& contestant, int runs) {
  constexpr int trials = 3;
  constexpr double long_microseconds = 50'000;  // one timing of that says enough
  double best = 0;
  for (int trial = 0; trial < trials && best < long_microseconds; ++trial) {
    const auto start = Clock::now();
    for (int run = 0; run < runs; ++run) contestant.run();
    const double microseconds = microseconds_since(start);
    best = trial == 0 ? microseconds : std::min(best, microseconds);
  }
  return best;
}

/// How many runs to time as one: as many as make the clock's own cost and grain negligible.
int runs_a_sample(const Contestant& contestant) {
  constexpr double shortest_microseconds = 20;
  int runs = 1;
  while (fastest(contestant, runs) < shortest_microseconds) runs *= 2;
  return runs;
}

/// A contestant and the times of its runs.
struct Track {
  const Contestant* contestant;
  int runs_a_sample = 1;
  std::vector<double> samples = {};
};

void run_block(Track& track, const Pace& pace) {
  prepare(*track.contestant);
  std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(pace.rest_milliseconds));
  // Wakes sleeping workers, and brings back what the others pushed out of the caches.
  const double warm_up_microseconds = std::min(1000.0, 200 * pace.block_milliseconds);
  const auto warm_up = Clock::now();
  do track.contestant->run();
  while (microseconds_since(warm_up) < warm_up_microseconds);

  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    for (int run = 0; run < track.runs_a_sample; ++run) track.contestant->run();
    track.samples.push_back(microseconds_since(start) / track.runs_a_sample);
  } while (microseconds_since(begin) < 1000 * pace.block_milliseconds);
}

}  // namespace

Pace Pace::quick() const {
  constexpr int shorter = 10;
  return {.blocks = blocks * shorter, .block_milliseconds = block_milliseconds / shorter, .rest_milliseconds = 0};
}

void append(std::vector<Contestant>& contestants, std::vector<Contestant> more) {
  std::ranges::move(more, std::back_inserter(contestants));
}

std::vector<Timing> contest(std::span<const Contestant> contestants, const Pace& pace, double tolerance) {
  compare_results(contestants, tolerance);
  std::vector<Track> tracks;
  for (const Contestant& contestant : contestants) {
    prepare(contestant);
    tracks.push_back({&contestant, runs_a_sample(contestant)});
  }
  for (int block = 0; block < pace.blocks; ++block) {
    for (Track& track : tracks) run_block(track, pace);
  }
  std::vector<Timing> timings;
  for (const Track& track : tracks) {
    const double microseconds = median(track.samples);
    timings.push_back({.name = track.contestant->name,
                       .microseconds = microseconds,
                       .low = quantile(track.samples, 0.1),
                       .high = quantile(track.samples, 0.9),
                       .ratio = timings.empty() ? 1 : microseconds / timings.front().microseconds});
  }
  return timings;
}

}  // namespace lathe::bench
