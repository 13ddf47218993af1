#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace lathe::bench {

/// One way to do a piece of work, timed beside others that do the same.
struct Contestant {
  std::string name;
  /// Does the work once.
  std::function<void()> run;
  /// What the latest run computed, to compare with the others; empty where there is nothing to compare.
  std::function<std::vector<double>()> result = {};
  /// Called before a block of runs: sets the number of threads of a library, say.
  std::function<void()> prepare = {};
};

void append(std::vector<Contestant>& contestants, std::vector<Contestant> more);

/// How long to measure: each contestant takes `blocks` turns of `block_milliseconds`, and at least one run a turn.
struct Pace {
  int blocks = 11;
  double block_milliseconds = 25;
  /// Before each block: idle threads of the contestant before may spin for so long, and would take CPUs from this one.
  double rest_milliseconds = 10;

  /// The same time in short turns without rests, for contestants that leave no threads behind. Where a hypervisor moves
  /// CPUs about as soon as they are idle, and two threads are at times four times as far apart as at others, only those
  /// who take turns faster than that meet the same machine.
  Pace quick() const;
};

/// What one contestant took.
struct Timing {
  std::string name;
  double microseconds = 0;  // a run, the median of all
  double low = 0;           // a tenth of the runs were faster
  double high = 0;          // a tenth were slower
  double ratio = 1;         // to the first contestant's
};

/// Runs all contestants a few times and compares what they compute with the first one's, then times them. They take
/// turns in short blocks, so that a change of the machine's speed meets all alike.
/// Throws lathe::Error, naming the contestant, if a result is further from the first one's than `tolerance` times the
/// largest magnitude in it.
std::vector<Timing> contest(std::span<const Contestant> contestants, const Pace& pace, double tolerance);

}  // namespace lathe::bench
