#include <utility>

#include "eager_training.h"
#include "graph_training.h"
#include "traced_training.h"
#include "way.h"

namespace lathe::laboratory {
namespace {

std::int64_t bytes_of(const Batch& batch) {
  return batch.size * (pixels + 1);
}

std::vector<Tensor> tensors_of(const Values& arrays) {
  std::vector<Tensor> out;
  for (const Value& array : arrays) out.push_back(eager::Array(array).tensor());
  return out;
}

std::int64_t bytes_moved(const Explanation& program) {
  double bytes = 0;
  for (const StepReport& step : program.steps) bytes += step.bytes;
  return static_cast<std::int64_t>(bytes);
}

/// What the statistics of the training's context say of a step.
template <class T>
Costs counted_costs(T& training, const Batch& batch) {
  training.context.reset_peak();
  const eager::Statistics before = training.context.statistics();
  training.step(batch);
  const eager::Statistics after = training.context.statistics();
  return {.dispatches = static_cast<std::int64_t>(after.dispatches - before.dispatches),
          .kernels = static_cast<std::int64_t>(after.kernels - before.kernels),
          .bytes_moved = static_cast<std::int64_t>(after.bytes_moved - before.bytes_moved),
          .peak_bytes = static_cast<std::int64_t>(after.peak_bytes),
          .arena_bytes = std::nullopt};
}

class Eager final : public Training {
 public:
  Eager(const std::vector<Tensor>& initial, const SessionOptions& options) : training_(initial, options) {}

  float step(const Batch& batch) override { return training_.step(batch); }
  std::vector<Tensor> weights() override { return tensors_of(training_.weights); }
  Costs costs_of_step(const Batch& batch) override { return counted_costs(training_, batch); }
  std::optional<double> kernel_microseconds() override { return training_.context.statistics().kernel_microseconds; }

 private:
  EagerTraining training_;
};

class Traced final : public Training {
 public:
  Traced(const std::vector<Tensor>& initial, const SessionOptions& options) : training_(initial, options) {}

  float step(const Batch& batch) override { return training_.step(batch); }
  std::vector<Tensor> weights() override { return tensors_of(training_.weights); }
  Costs costs_of_step(const Batch& batch) override {
    Costs costs = counted_costs(training_, batch);
    const Explanation program = training_.train.explain().back();
    costs.bytes_moved = bytes_moved(program);
    costs.arena_bytes = program.arena_bytes;
    costs.peak_bytes += program.arena_bytes;
    return costs;
  }
  std::optional<double> kernel_microseconds() override { return training_.context.statistics().kernel_microseconds; }

 private:
  TracedTraining training_;
};

class TwoPhases final : public Training {
 public:
  TwoPhases(const std::vector<Tensor>& initial, const SessionOptions& options) : training_(initial, options) {}

  float step(const Batch& batch) override { return training_.step(batch); }
  std::vector<Tensor> weights() override {
    std::vector<Tensor> out;
    for (const Value& weight : training_.plan.weights) out.push_back(training_.session.variable(weight));
    return out;
  }
  Costs costs_of_step(const Batch& batch) override {
    training_.step(batch);
    const Explanation program = training_.train.explain();
    Costs costs{.dispatches = 1,
                .kernels = static_cast<std::int64_t>(training_.train.statistics().kernels),
                .bytes_moved = bytes_moved(program),
                .peak_bytes = bytes_of(batch) + program.arena_bytes,
                .arena_bytes = program.arena_bytes};
    for (const std::string& name : training_.session.variable_names()) {
      costs.peak_bytes += static_cast<std::int64_t>(training_.session.variable(name).bytes().size());
    }
    return costs;
  }
  std::optional<double> kernel_microseconds() override {
    double nanoseconds = 0;
    for (const StepTime& kernel : training_.train.statistics().steps) nanoseconds += kernel.total;
    return nanoseconds / 1000;
  }

 private:
  GraphTraining training_;
};

template <class T>
std::unique_ptr<Training> begin(const std::vector<Tensor>& initial, const SessionOptions& options) {
  return std::make_unique<T>(initial, options);
}

}  // namespace

std::vector<Way> session_ways() {
  return {{.letter = 'a', .name = "eager, with a tape", .begin = begin<Eager>, .compiles = true},
          {.letter = 'b', .name = "traced function", .begin = begin<Traced>, .compiles = true},
          {.letter = 'c', .name = "graph and session", .begin = begin<TwoPhases>, .compiles = true}};
}

}  // namespace lathe::laboratory
