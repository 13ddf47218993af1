#pragma once

#include <functional>
#include <vector>

#include <lathe/lathe.h>

#include "batch.h"
#include "network.h"

namespace lathe::laboratory {

/// Way (b): the step of way (a), handed to `function`. Its first call runs it once on symbols and
/// compiles the graph that this makes; every call then runs one program.
class TracedTraining {
 public:
  TracedTraining(const std::vector<Tensor>& initial, SessionOptions options)
      : context(std::move(options)), adam(context, optim::adam()) {
    for (const Tensor& start : initial) weights.push_back(variable(context, "weight", start));
  }

  float step(const Batch& batch) {
    const eager::Array images = context.array(batch.images());
    const eager::Array labels = context.array(batch.labels());
    return eager::Array(train(images, labels)).item<float>();
  }

  eager::Context context;
  eager::Optimizer adam;
  Values weights;
  eager::Function<std::function<Value(Value, Value)>> train =
      function(context, std::function([this](Value images, Value labels) {
                 eager::GradientTape tape(context);
                 const Value loss = loss_of(images, labels, weights);
                 adam.apply_gradients(tape.gradient(loss, weights), weights);
                 return loss;
               }));
};

}  // namespace lathe::laboratory
