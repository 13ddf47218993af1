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
  Value all_images = placeholder(graph, "all_images", u8, {dim("examples"), 28, 28});
  Value all_labels = placeholder(graph, "all_labels", u8, {dim("examples")});
  Value rows = placeholder(graph, "rows", i64, {dim("batch")});
  Value images = gather(all_images, rows);  // or fed
  Value labels = gather(all_labels, rows);  // or fed
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
