#include "laboratory.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include <lathe/graph/error.h>

#include "measure.h"
#include "problem.h"

namespace lathe::laboratory {
namespace {

/// A cache of programs that nobody else has filled.
class CacheFolder {
 public:
  CacheFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "static_vs_eager_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw Error(fmt::format("no folder like {} can be made", name));
    path_ = name;
  }
  ~CacheFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  CacheFolder(const CacheFolder&) = delete;
  CacheFolder& operator=(const CacheFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::vector<Way> all_ways() {
  std::vector<Way> ways = session_ways();
  std::ranges::move(ahead_ways(), std::back_inserter(ways));
  std::ranges::move(torch_ways(), std::back_inserter(ways));
  return ways;
}

BreakEven break_even(const Figures& fixed, const Figures& eager) {
  const auto at = [&](double fixed_first_ms, double eager_first_ms) {
    return catching_up(1000 * fixed_first_ms, fixed.step_us, 1000 * eager_first_ms, eager.step_us);
  };
  return {.cold = at(fixed.first_result_ms, eager.first_result_ms),
          .warm = at(fixed.first_result_warm_ms, eager.first_result_warm_ms),
          .edited = at(fixed.first_result_ms, eager.first_result_warm_ms)};
}

void check(const Settings& settings, const Problem& problem) {
  for (const std::int64_t batch : settings.batches) {
    if (batch >= 1 && problem.batches(batch) >= 1) continue;
    throw Error(fmt::format("batches of {} cannot be made of {} examples", batch, problem.labels.size()));
  }
}

}  // namespace

bool Results::bits_equal() const {
  return std::ranges::all_of(agreements, [](const Agreement& agreement) { return agreement.difference.empty(); });
}

Results investigate(const Settings& settings) {
  const Problem problem(settings.data, settings.seed, settings.limit);
  check(settings, problem);
  const CacheFolder cache;
  Results results{.settings = settings, .ways = all_ways(), .agreements = {}, .figures = {}};
  SessionOptions options{.threads = settings.threads, .cache = {.folder = cache.path()}, .seed = settings.seed};

  fmt::print("First results, each in a process of its own\n");
  for (const std::int64_t batch : settings.batches) {
    for (const Way& way : results.ways) {
      Figures& figures = results.figures.emplace_back(Figures{.way = way.letter, .batch = batch});
      measure_first_results(way, problem, options, cache.path(), figures);
    }
  }

  constexpr std::int64_t epoch_batch = 32;
  const std::int64_t epoch_steps = settings.epochs * problem.batches(epoch_batch);
  fmt::print("Comparing {} steps of {}, then {} of each other size\n", epoch_steps, epoch_batch, settings.steps);
  if (epoch_steps > 0) {
    results.agreements.push_back(compare(results.ways, problem, options, epoch_batch, epoch_steps));
  }
  for (const std::int64_t batch : settings.batches) {
    results.agreements.push_back(compare(results.ways, problem, options, batch, settings.steps));
  }

  for (std::size_t i = 0; i < settings.batches.size(); ++i) {
    fmt::print("Timing steps of {}\n", settings.batches[i]);
    const std::span<Figures> figures = std::span(results.figures).subspan(i * results.ways.size(), results.ways.size());
    measure_steps(results.ways, problem, options, settings.milliseconds, figures);
    for (Figures& way : figures) {
      const bool is_static = std::string_view("bcd").find(way.way) != std::string_view::npos;
      if (is_static) way.break_even = break_even(way, figures.front());
    }
  }
  return results;
}

}  // namespace lathe::laboratory
