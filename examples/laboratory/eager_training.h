#pragma once

#include <vector>

#include <lathe/lathe.h>

#include "batch.h"
#include "network.h"

namespace lathe::laboratory {

/// Way (a): every line computes as soon as it runs, as in NumPy. The tape remembers what was
/// computed, to differentiate it; any value can be printed, and an `if` may look at it.
class EagerTraining {
 public:
  EagerTraining(const std::vector<Tensor>& initial, SessionOptions options)
      : context(std::move(options)), adam(context, optim::adam()) {
    for (const Tensor& start : initial) weights.push_back(variable(context, "weight", start));
  }

  float step(const Batch& batch) {
    const eager::Array images = context.array(batch.images());
    const eager::Array labels = context.array(batch.labels());
    eager::GradientTape tape(context);
    const eager::Array loss = loss_of(images, labels, weights);
    adam.apply_gradients(tape.gradient(loss, weights), weights);
    return loss.item<float>();
  }

  eager::Context context;
  eager::Optimizer adam;
  Values weights;
};

}  // namespace lathe::laboratory
