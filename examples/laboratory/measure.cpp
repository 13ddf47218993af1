#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "allocations.h"
#include "apart.h"

namespace lathe::laboratory {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::ranges::nth_element(numbers, middle);
  return *middle;
}

/// A way that is being measured, and the number of its next batch.
struct Track {
  std::unique_ptr<Training> training;
  std::int64_t batch;
  const Problem* problem;
  std::int64_t number = 0;
  std::vector<double> samples = {};

  void step() { training->step(problem->batch(batch, number++)); }
};

void run_block(Track& track, double milliseconds) {
  track.step();  // brings back what the others pushed out of the caches
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    track.step();
    track.samples.push_back(microseconds_since(start));
  } while (microseconds_since(begin) < 1000 * milliseconds);
}

double allocations_of_step(Track& track) {
  constexpr int steps = 10;
  const std::int64_t before = allocations();
  for (int step = 0; step < steps; ++step) track.step();
  return static_cast<double>(allocations() - before) / steps;
}

/// The time of kernels, and all time, in the same steps.
void profile(const Way& way, const Problem& problem, SessionOptions options, double milliseconds, Figures& figures) {
  options.profile = true;
  Track track{way.begin(problem.weights, options), figures.batch, &problem};
  if (!track.training->kernel_microseconds()) return;
  track.step();
  std::vector<double> kernels;
  std::vector<double> whole;
  const auto begin = Clock::now();
  do {
    const double before = *track.training->kernel_microseconds();
    const auto start = Clock::now();
    track.step();
    whole.push_back(microseconds_since(start));
    kernels.push_back(*track.training->kernel_microseconds() - before);
  } while (microseconds_since(begin) < 1000 * milliseconds);
  figures.kernels_us = median(std::move(kernels));
  figures.profiled_step_us = median(std::move(whole));
}

}  // namespace

void measure_first_results(const Way& way, const Problem& problem, const SessionOptions& options,
                           const std::filesystem::path& folder, Figures& figures) {
  const auto milliseconds = [&](const CacheOptions& cache, int processes) {
    SessionOptions with_cache = options;
    with_cache.cache = cache;
    std::vector<double> samples;
    for (int process = 0; process < processes; ++process) {
      samples.push_back(measured_apart([&] {
        const auto start = Clock::now();
        way.begin(problem.weights, with_cache)->step(problem.batch(figures.batch, 0));
        return microseconds_since(start) / 1000;
      }));
    }
    return median(std::move(samples));
  };
  constexpr int several = 5;  // where a single one is too short to be told from what else happens
  figures.first_result_ms = milliseconds({.enabled = false}, way.compiles ? 1 : several);
  figures.first_result_warm_ms = figures.first_result_ms;
  if (!way.compiles) return;
  milliseconds({.folder = folder}, 1);  // fills the cache
  figures.first_result_warm_ms = milliseconds({.folder = folder}, several);
}

std::optional<std::int64_t> catching_up(double first, double later, double other_first, double other_later) {
  if (first <= other_first) return 1;
  if (later >= other_later) return std::nullopt;
  return 1 + static_cast<std::int64_t>(std::ceil((first - other_first) / (other_later - later)));
}

void measure_steps(const std::vector<Way>& ways, const Problem& problem, const SessionOptions& options,
                   double milliseconds, std::span<Figures> figures) {
  std::vector<Track> tracks;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    tracks.push_back({ways[i].begin(problem.weights, options), figures[i].batch, &problem});
    tracks[i].step();
    tracks[i].step();
    figures[i].allocations = allocations_of_step(tracks[i]);
  }
  constexpr int blocks = 20;
  for (int block = 0; block < blocks; ++block) {
    for (Track& track : tracks) run_block(track, milliseconds / blocks);
  }
  for (std::size_t i = 0; i < ways.size(); ++i) {
    figures[i].step_us = median(std::move(tracks[i].samples));
    figures[i].costs = tracks[i].training->costs_of_step(problem.batch(figures[i].batch, tracks[i].number));
    profile(ways[i], problem, options, milliseconds / 4, figures[i]);
  }
}

}  // namespace lathe::laboratory
