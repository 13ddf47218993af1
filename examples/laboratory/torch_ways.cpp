#include <algorithm>
#include <string_view>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <lathe/runtime/cpus.h>

#include "torch_threads.h"
#include "torch_training.h"
#include "way.h"

namespace lathe::laboratory {
namespace {

/// What libtorch tells its profiler, counted: calls of ops with those within others, and the memory of tensors.
struct Observed {
  std::int64_t calls = 0;
  std::int64_t kernels = 0;
  std::int64_t live_bytes = 0;
  std::int64_t peak_bytes = 0;
  std::vector<bool> calls_others;  // of the ops that are running
};

thread_local Observed observed;

/// Whether an op computes nothing: its result is memory of an input, or memory that nobody has written to.
bool moves_nothing(const at::RecordFunction& function) {
  const auto name = function.operator_name();
  if (!name) return false;
  if (std::string_view(name->name).starts_with("aten::empty")) return true;
  const auto op = c10::Dispatcher::singleton().findSchema(*name);
  if (!op || op->schema().returns().empty()) return false;
  const auto* alias = op->schema().returns().front().alias_info();
  return alias && !alias->isWrite();
}

std::unique_ptr<at::ObserverContext> begin_op(const at::RecordFunction& /*function*/) {
  if (!observed.calls_others.empty()) observed.calls_others.back() = true;
  observed.calls_others.push_back(false);
  ++observed.calls;
  return nullptr;
}

void end_op(const at::RecordFunction& function, at::ObserverContext* /*context*/) {
  if (!observed.calls_others.back() && !moves_nothing(function)) ++observed.kernels;
  observed.calls_others.pop_back();
}

class Memory final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void* /*memory*/, std::int64_t bytes, std::int64_t /*allocated*/, std::int64_t /*reserved*/,
                         c10::Device /*device*/) override {
    observed.live_bytes += bytes;
    observed.peak_bytes = std::max(observed.peak_bytes, observed.live_bytes);
  }
  bool memoryProfilingEnabled() const override { return true; }
};

/// While it lives, libtorch is watched.
class Watching {
 public:
  Watching() { observed = {}; }
  ~Watching() { at::removeCallback(callback_); }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

 private:
  c10::DebugInfoGuard memory_{c10::DebugInfoKind::PROFILER_STATE, std::make_shared<Memory>()};
  at::CallbackHandle callback_ =
      at::addThreadLocalCallback(at::RecordFunctionCallback(begin_op, end_op).scopes({at::RecordScope::FUNCTION}));
};

class Torch final : public Training {
 public:
  Torch(const std::vector<Tensor>& initial, int threads) : training_(initial) {
    use_torch_threads(threads == 0 ? usable_cpus() : threads);
  }

  float step(const Batch& batch) override { return training_.step(batch); }
  std::vector<Tensor> weights() override {
    const torch::NoGradGuard no_gradient;
    return {copy_of(training_.hidden->weight.t()), copy_of(training_.hidden->bias),
            copy_of(training_.output->weight.t()), copy_of(training_.output->bias)};
  }
  Costs costs_of_step(const Batch& batch) override {
    const std::vector<Tensor> now = weights();
    const Watching watching;
    TorchTraining watched(now);
    watched.step(batch);  // makes Adam's state
    observed.calls = observed.kernels = 0;
    observed.peak_bytes = observed.live_bytes;
    watched.step(batch);
    return {.dispatches = observed.calls,
            .kernels = observed.kernels,
            .bytes_moved = std::nullopt,
            .peak_bytes = observed.peak_bytes + batch.size * 785,
            .arena_bytes = std::nullopt};
  }

 private:
  static Tensor copy_of(const torch::Tensor& weight) {
    const torch::Tensor rows = weight.contiguous();
    return Tensor::from<float>({rows.sizes().begin(), rows.sizes().end()},
                               std::span(rows.data_ptr<float>(), static_cast<std::size_t>(rows.numel())));
  }

  TorchTraining training_;
};

}  // namespace

std::vector<Way> torch_ways() {
  return {{.letter = 'e',
           .name = "libtorch, eager",
           .begin = [](const std::vector<Tensor>& initial, const SessionOptions& options) -> std::unique_ptr<Training> {
             return std::make_unique<Torch>(initial, options.threads);
           },
           .exact = false}};
}

}  // namespace lathe::laboratory
