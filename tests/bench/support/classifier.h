#pragma once

#include <cstdint>

#include <lathe/lathe.h>

#include "../peers/problems.h"

namespace lathe::bench {

struct TrainingData {
  Tensor images;  // u8 [examples, 28, 28]
  Tensor labels;  // u8 [examples]
};

/// Fashion-MNIST, or as many bytes without meaning where it is not installed.
TrainingData training_data();

/// The classifier of 28 x 28 images with 128 hidden units as a graph, for every size of a batch.
struct Classifier {
  Graph graph;
  Value images = placeholder(graph, "images", u8, {dim("batch"), 28, 28});
  Value labels = placeholder(graph, "labels", u8, {dim("batch")});
  Value logits;
  Value probabilities;
  Value loss;

  Classifier();
  /// Adds Adam; the value's runs make updates.
  Value train();
};

/// The parameters as peers take them.
Mlp parameters(const Session& session);

}  // namespace lathe::bench
