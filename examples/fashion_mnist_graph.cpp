// The same network in two phases: first a graph of placeholders, variables, gradients and an optimizer, which computes
// nothing; then a session, which compiles the parts of it that are asked for and is fed batch after batch.

#include <algorithm>

#include <fmt/format.h>

#include <lathe/lathe.h>

#include "support/program.h"

using namespace lathe;

namespace {

/// The nodes that the session is fed and asked for.
struct Classifier {
  explicit Classifier(Graph& graph, double learning_rate);

  Value images;
  Value labels;
  Value loss;
  Value accuracy;
  Value probabilities;
  Value train;
};

Classifier::Classifier(Graph& graph, double learning_rate) {
  images = placeholder(graph, "images", u8, {dim("batch"), 28, 28});
  labels = placeholder(graph, "labels", u8, {dim("batch")});
  const Value pixels = flatten(cast(images, f32) * (1.0 / 255));

  const Variable w1 = variable(graph, "w1", nn::init::glorot_uniform(graph, {784, 128}));
  const Variable b1 = variable(graph, "b1", Tensor(f32, {128}));
  const Variable w2 = variable(graph, "w2", nn::init::glorot_uniform(graph, {128, 10}));
  const Variable b2 = variable(graph, "b2", Tensor(f32, {10}));
  const Value hidden = relu(matmul(pixels, w1) + b1);
  const Value logits = matmul(hidden, w2) + b2;

  loss = mean(sparse_softmax_cross_entropy(labels, logits));
  accuracy = mean(cast(equal(argmax(logits), cast(labels, i64)), f32));
  probabilities = softmax(logits);

  const Values parameters = {w1, b1, w2, b2};
  const Values slopes = gradients({loss}, parameters);
  std::vector<optim::GradientAndVariable> pairs;
  for (std::size_t i = 0; i < parameters.size(); ++i) pairs.push_back({slopes[i], parameters[i]});
  train = optim::adam({.learning_rate = learning_rate}).apply_gradients(pairs);
}

void train(const examples::TrainingArguments& arguments) {
  const auto data = data::fashion_mnist(arguments.data);

  Graph graph;
  const Classifier classifier(graph, arguments.learning_rate);

  Session session(graph, arguments.session());
  session.initialize();
  Callable step =
      session.prepare({classifier.loss, classifier.accuracy, classifier.train}, {classifier.images, classifier.labels});
  data::Batches batches(data::Dataset({data.train_images, data.train_labels}, arguments.limit),
                        {.size = arguments.batch, .shuffle_seed = arguments.seed});

  for (std::int64_t epoch = 0; epoch < arguments.epochs; ++epoch) {
    double loss = 0;
    double accuracy = 0;
    std::int64_t seen = 0;
    batches.start(epoch);
    for (auto batch = batches.next(); !batch.empty(); batch = batches.next()) {
      const std::int64_t rows = batch[0].shape[0];
      const auto measured = step(batch);
      loss += measured[0].item<float>() * static_cast<double>(rows);
      accuracy += measured[1].item<float>() * static_cast<double>(rows);
      seen += rows;
    }
    const auto count = static_cast<double>(seen);
    fmt::print("Epoch {}/{} - loss: {:.4f} - accuracy: {:.4f}\n", epoch + 1, arguments.epochs, loss / count,
               accuracy / count);
  }

  const auto test = session.run({classifier.loss, classifier.accuracy},
                                {{classifier.images, data.test_images}, {classifier.labels, data.test_labels}});
  fmt::print("Test loss: {:.4f}, test accuracy: {:.4f}\n", test[0].item<float>(), test[1].item<float>());

  // Nothing but what is fetched is computed, so no labels are needed here.
  const Tensor probabilities = session.run(classifier.probabilities, {{classifier.images, data.test_images}});
  const auto first = probabilities.data<float>().first(data::fashion_mnist_classes.size());
  const auto best = std::ranges::max_element(first);
  fmt::print("The first test image is {} with {:.0f}%.\n",
             data::fashion_mnist_classes[static_cast<std::size_t>(best - first.begin())], 100 * *best);
  examples::explain(arguments, step);
}

}  // namespace

int main(int argc, char** argv) {
  return examples::run_training_program(argc, argv, "Trains a classifier of Fashion-MNIST, graph first.", train);
}
