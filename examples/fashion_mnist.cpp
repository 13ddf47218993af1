// The whole tutorial with the layers interface: load, train, evaluate, predict, draw.
//
// A network of 784 pixels, 128 hidden units and 10 logits learns to tell ten kinds of clothing apart. Its outputs are
// logits; a softmax layer put on top of the trained model makes probabilities of them.

#include <fmt/format.h>

#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/runtime/data/fashion_mnist.h>
#include <lathe/runtime/model/sequential.h>

#include <lathe/runtime/write_file.h>
#include "support/classifier.h"
#include "support/program.h"

using namespace lathe;
using namespace lathe::nn;
using namespace lathe::examples;

namespace {

void train(const TrainingArguments& arguments) {
  const auto data = data::fashion_mnist(arguments.data);

  Sequential model{
      Rescaling{1.0 / 255},  // in the graph, so that the pictures stay bytes
      Flatten{},
      Dense{128, relu},
      Dense{10},
  };
  model.build(data.train_images.type());
  fmt::print("{}\n", model.summary());
  model.compile({.optimizer = optim::adam({.learning_rate = arguments.learning_rate}),
                 .loss = sparse_softmax_cross_entropy,
                 .metrics = {accuracy()},
                 .session = arguments.session()});

  const History history = model.fit(data.train_images, data.train_labels,
                                    {.epochs = arguments.epochs,
                                     .batch_size = arguments.batch,
                                     .limit = arguments.limit,
                                     .validation = Examples{data.test_images, data.test_labels}});
  const Measurements test = model.evaluate(data.test_images, data.test_labels);
  fmt::print("\nTest loss: {:.4f}, test accuracy: {:.4f}\n", test.at("loss"), test.at("accuracy"));
  const nlohmann::json figures = report(model, history, test);

  Sequential classifier{model, Softmax{}};
  const Tensor probabilities = classifier.predict(data.test_images);
  draw(arguments, data, history, probabilities);
  fmt::print("Pictures are in {}\n", arguments.out.string());
  explain(arguments, model.training_step());
  if (arguments.json) write_file(*arguments.json, figures.dump(2) + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  return run_training_program(argc, argv, "Trains a classifier of Fashion-MNIST and draws what it predicts.", train);
}
