#include <lathe/graph/error.h>
#include <lathe/runtime/thread_pool.h>

#include "ahead_training.h"
#include "way.h"

namespace lathe::laboratory {
namespace {

/// The object does not say what is in it: it holds the program of way (c), which tells.
Costs costs_of_graph(const std::vector<Tensor>& initial, const SessionOptions& options, const Batch& batch) {
  for (const Way& way : session_ways()) {
    if (way.letter == 'c') return way.begin(initial, options)->costs_of_step(batch);
  }
  throw Error("way (c) is missing");
}

class Ahead final : public Training {
 public:
  Ahead(const std::vector<Tensor>& initial, const SessionOptions& options)
      : options_(options),
        pool_(options.threads),
        training_(initial, {.parallel_for = pool_.threads() > 1 ? &ThreadPool::parallel_for : nullptr,
                            .context = &pool_,
                            .failed_index = 0,
                            .failed_value = 0}) {}

  float step(const Batch& batch) override { return training_.step(batch); }
  std::vector<Tensor> weights() override {
    std::vector<Tensor> out{Tensor(DType::f32, {784, 128}), Tensor(DType::f32, {128}), Tensor(DType::f32, {128, 10}),
                            Tensor(DType::f32, {10})};
    const void* const state = training_.state.bytes().data();
    laboratory_graph_export_w1(state, out[0].data<float>().data());
    laboratory_graph_export_b1(state, out[1].data<float>().data());
    laboratory_graph_export_w2(state, out[2].data<float>().data());
    laboratory_graph_export_b2(state, out[3].data<float>().data());
    return out;
  }
  Costs costs_of_step(const Batch& batch) override {
    Costs costs = costs_of_graph(weights(), options_, batch);
    costs.arena_bytes = laboratory_graph_train_step_arena_bytes(batch.size);
    costs.peak_bytes = batch.size * 785 + LABORATORY_GRAPH_STATE_BYTES + *costs.arena_bytes;
    return costs;
  }

 private:
  SessionOptions options_;
  ThreadPool pool_;
  AheadTraining training_;
};

}  // namespace

std::vector<Way> ahead_ways() {
  return {{.letter = 'd',
           .name = "ahead of time",
           .begin = [](const std::vector<Tensor>& initial, const SessionOptions& options) {
             return std::make_unique<Ahead>(initial, options);
           }}};
}

}  // namespace lathe::laboratory
