#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "measure.h"
#include "network.h"

namespace lathe::laboratory {
namespace {

struct Contestant {
  const Way* way;
  std::unique_ptr<Training> training;
};

std::string compare_weights(const Contestant& first, const Contestant& other) {
  const std::vector<Tensor> expected = first.training->weights();
  const std::vector<Tensor> found = other.training->weights();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (found[i] == expected[i]) continue;
    return fmt::format("all losses are equal, but the weights {} of way ({}) differ from those of way ({}) at the end",
                       weight_names[i], other.way->letter, first.way->letter);
  }
  return {};
}

}  // namespace

Agreement compare(const std::vector<Way>& ways, const Problem& problem, const SessionOptions& options,
                  std::int64_t batch, std::int64_t steps) {
  std::vector<Contestant> contestants;
  for (const Way& way : ways) contestants.push_back({&way, way.begin(problem.weights, options)});
  Agreement agreement{.batch = batch};
  for (std::int64_t step = 0; step < steps; ++step) {
    const Batch examples = problem.batch(batch, step);
    const float loss = contestants.front().training->step(examples);
    if (step == 0) agreement.first_loss = loss;
    agreement.last_loss = loss;
    ++agreement.steps;
    for (std::size_t i = 1; i < contestants.size(); ++i) {
      const float other = contestants[i].training->step(examples);
      if (!contestants[i].way->exact) {
        agreement.distance = std::max(agreement.distance.value_or(0), std::abs(double{other} - double{loss}));
      } else if (std::bit_cast<std::uint32_t>(other) != std::bit_cast<std::uint32_t>(loss)) {
        agreement.difference = fmt::format(
            "at batch {}, way ({}) differs from way ({}) first in step {}: its loss is {:.9g} instead of {:.9g}", batch,
            contestants[i].way->letter, contestants.front().way->letter, step, other, loss);
        return agreement;
      }
    }
  }
  for (std::size_t i = 1; i < contestants.size() && agreement.difference.empty(); ++i) {
    if (contestants[i].way->exact) agreement.difference = compare_weights(contestants.front(), contestants[i]);
  }
  return agreement;
}

}  // namespace lathe::laboratory
