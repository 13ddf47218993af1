#include <iterator>

#include <fmt/format.h>

#include "report.h"

namespace lathe::laboratory {
namespace {

std::string bytes_text(std::optional<std::int64_t> bytes) {
  if (!bytes) return "-";
  const auto count = static_cast<double>(*bytes);
  return count < 1e6 ? fmt::format("{:.1f} KB", count / 1e3) : fmt::format("{:.2f} MB", count / 1e6);
}

std::string step_text(const std::optional<BreakEven>& of, std::optional<std::int64_t> BreakEven::*start) {
  if (!of) return "-";
  return of.value().*start ? fmt::format("{}", *(of.value().*start)) : "never";
}

std::string kernel_share(const Figures& figures) {
  if (!figures.kernels_us) return "-";
  return fmt::format("{:.0f} %", 100 * *figures.kernels_us / *figures.profiled_step_us);
}

std::string agreement_text(const Agreement& agreement) {
  if (!agreement.difference.empty()) return fmt::format("BITS DIFFER: {}\n", agreement.difference);
  std::string text = fmt::format(
      "batch {:4}: {} steps, all losses and the weights at the end have the same bits; loss {:.4f} to {:.4f}",
      agreement.batch, agreement.steps, agreement.first_loss, agreement.last_loss);
  if (agreement.distance) text += fmt::format("; libtorch's differs by {:.1e} at most", *agreement.distance);
  return text + "\n";
}

constexpr std::string_view columns = R"(
time      median of a step, handing over the batch included
calls     dispatches a step: calls of ops, or of a whole program
kernels   loops over elements a step; of libtorch, ops that call no others and make no mere views
moved     bytes that kernels read and write a step; libtorch does not tell
peak      memory at the fullest moment of a step: batch, weights, Adam's state, what lies between
arena     the part of it that was planned when the program was compiled
first     from nothing to the first loss, in a process of its own: without a cache of programs, and with one
pays      the step at which a static way has taken no longer than the eager one, first ones included: both without
          a cache; both with it; a new graph to compile, but the eager way's ops in the cache
allocs    allocations of memory a step
in loops  the share of a step's time that is spent in kernels; the rest is overhead
)";

}  // namespace

std::string to_table(const Results& results) {
  std::string text;
  for (const Agreement& agreement : results.agreements) text += agreement_text(agreement);
  auto out = std::back_inserter(text);
  std::int64_t batch = 0;
  for (const Figures& figures : results.figures) {
    if (figures.batch != batch) {
      batch = figures.batch;
      fmt::format_to(out, "\n{:<24}{:>11} {:>5} {:>7} {:>9} {:>9} {:>9} {:>17} {:>19} {:>6} {:>8}\n",
                     fmt::format("batch {}", batch), "time", "calls", "kernels", "moved", "peak", "arena", "first",
                     "pays", "allocs", "in loops");
    }
    for (const Way& way : results.ways) {
      if (way.letter != figures.way) continue;
      fmt::format_to(out, "{:<24}{:>8.1f} us {:>5} {:>7} {:>9} {:>9} {:>9} {:>17} {:>19} {:>6.0f} {:>8}\n",
                     fmt::format("({}) {}", way.letter, way.name), figures.step_us, figures.costs.dispatches,
                     figures.costs.kernels, bytes_text(figures.costs.bytes_moved), bytes_text(figures.costs.peak_bytes),
                     bytes_text(figures.costs.arena_bytes),
                     fmt::format("{:.0f}, {:.0f} ms", figures.first_result_ms, figures.first_result_warm_ms),
                     fmt::format("{}; {}; {}", step_text(figures.break_even, &BreakEven::cold),
                                 step_text(figures.break_even, &BreakEven::warm),
                                 step_text(figures.break_even, &BreakEven::edited)),
                     figures.allocations, kernel_share(figures));
    }
  }
  return text + std::string(columns) + "\n";
}

}  // namespace lathe::laboratory
