#pragma once

#include <span>
#include <vector>

#include <lathe/lathe.h>

#include "batch.h"
#include "network.h"

namespace lathe::laboratory {

/// Phase one of ways (c) and (d): a graph of placeholders, variables, gradients and an optimizer.
/// Nothing is computed.
struct TrainingGraph {
  TrainingGraph() {
    images = placeholder(graph, "images", u8, {dim("batch"), pixels});
    labels = placeholder(graph, "labels", u8, {dim("batch")});
    for (std::size_t i = 0; i < weight_names.size(); ++i) {
      weights.push_back(variable(graph, weight_names[i], Tensor(f32, weight_extents[i])));
    }
    loss = loss_of(images, labels, weights);
    train = optim::adam().minimize(loss, weights);
  }

  Graph graph;
  Value images, labels;
  Values weights;
  Value loss, train;
};

/// Way (c), phase two: a session compiles what is asked of the graph, once for all batch sizes,
/// and is fed batch after batch. session.run({loss, train}, {{images, ...}, {labels, ...}}) does
/// it, too; `prepare` is told fetches and keys of the feed dict once, and steps look up nothing.
class GraphTraining {
 public:
  GraphTraining(const std::vector<Tensor>& initial, SessionOptions options)
      : session(plan.graph, std::move(options)),
        train(session.prepare({plan.loss, plan.train}, {plan.images, plan.labels})) {
    session.initialize();
    for (std::size_t i = 0; i < initial.size(); ++i) {
      session.set_variable(plan.weights[i], initial[i]);
    }
  }

  float step(const Batch& batch) {
    const std::span<const Tensor> fetched = train({batch.images(), batch.labels()});
    return fetched[0].item<float>();
  }

  TrainingGraph plan;
  Session session;
  Callable train;
};

}  // namespace lathe::laboratory
