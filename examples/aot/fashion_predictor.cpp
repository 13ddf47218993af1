// Trains the classifier for an epoch and compiles it with its weights inside, for predict.c.

#include <vector>

#include <fmt/format.h>

#include "network.h"

using namespace lathe;

namespace {

void train(Session& session, const Network& network, const data::FashionMnist& data) {
  constexpr std::int64_t batch = 32;
  const std::int64_t examples = data.train_labels.size();
  const std::int64_t steps = examples / batch;
  std::vector<std::int64_t> order(static_cast<std::size_t>(examples));
  data::epoch_order(order, 0, 0);
  Callable step = session.prepare({network.train}, {network.all_images, network.all_labels, network.rows});
  const std::int64_t shape[] = {steps, batch};
  const TensorView rows{i64, shape, reinterpret_cast<const std::byte*>(order.data())};
  step.run_steps(steps, {data.train_images, data.train_labels, rows});
}

}  // namespace

int main(int argc, char** argv) {
  Graph graph;
  const Network network(graph);
  Session session(graph);
  session.initialize();
  try {
    train(session, network, data::fashion_mnist());
  } catch (const DataError& error) {
    // What is built should not depend on data: an untrained predictor shows the same, but for its answers.
    fmt::print(stderr, "{}: the predictor is not trained. {}\n", argv[0], error.what());
  }
  return aot::generate(argc, argv, graph,
                       {{.name = "predict",
                         .feeds = {network.images},
                         .fetches = {{"probabilities", network.probabilities}},
                         .doc = "The probability of each class."}},
                       {.name = "fashion_predictor", .weights = aot::weights_of(session)});
}
