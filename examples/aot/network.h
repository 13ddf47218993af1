#pragma once

#include <cstdint>

#include <lathe/lathe.h>

/// The classifier of Fashion-MNIST, 784-128-10, and what is done with it. Both generators compile it, each what it
/// wants.
struct Network {
  explicit Network(lathe::Graph& graph);

  // Training: all examples stay where they are, and a step is told the numbers of its rows.
  lathe::Value all_images;  // u8 [examples, 28, 28]
  lathe::Value all_labels;  // u8 [examples]
  lathe::Value rows;        // i64 [batch]
  lathe::Value loss;
  lathe::Value accuracy;
  lathe::Value train;

  // Testing and predicting.
  lathe::Value images;  // u8 [batch, 28, 28]
  lathe::Value labels;  // u8 [batch]
  lathe::Value test_loss;
  lathe::Value test_accuracy;
  lathe::Value probabilities;  // f32 [batch, 10]

  lathe::Variable w1, b1, w2, b2;

 private:
  lathe::Value logits(const lathe::Value& pictures) const;
};

inline Network::Network(lathe::Graph& graph) {
  using namespace lathe;
  const auto accuracy_of = [](const Value& logits, const Value& labels) {
    return mean(cast(equal(argmax(logits), cast(labels, i64)), f32));
  };
  w1 = variable(graph, "w1", nn::init::glorot_uniform(graph, {784, 128}));
  b1 = variable(graph, "b1", Tensor(f32, {128}));
  w2 = variable(graph, "w2", nn::init::glorot_uniform(graph, {128, 10}));
  b2 = variable(graph, "b2", Tensor(f32, {10}));

  all_images = placeholder(graph, "all_images", u8, {dim("examples"), 28, 28});
  all_labels = placeholder(graph, "all_labels", u8, {dim("examples")});
  rows = placeholder(graph, "rows", i64, {dim("batch")});
  const Value batch_labels = gather(all_labels, rows);
  const Value batch_logits = logits(gather(all_images, rows));
  loss = mean(sparse_softmax_cross_entropy(batch_labels, batch_logits));
  accuracy = accuracy_of(batch_logits, batch_labels);
  train = optim::adam().minimize(loss);

  images = placeholder(graph, "images", u8, {dim("batch"), 28, 28});
  labels = placeholder(graph, "labels", u8, {dim("batch")});
  const Value test_logits = logits(images);
  test_loss = mean(sparse_softmax_cross_entropy(labels, test_logits));
  test_accuracy = accuracy_of(test_logits, labels);
  probabilities = softmax(test_logits);
}

inline lathe::Value Network::logits(const lathe::Value& pictures) const {
  using namespace lathe;
  const Value pixels = flatten(cast(pictures, f32) * (1.0 / 255));
  return matmul(relu(matmul(pixels, w1) + b1), w2) + b2;
}
