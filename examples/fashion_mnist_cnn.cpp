// A convolutional network on Fashion-MNIST: two convolutions, each with its windows' largest elements, then dropout and
// two dense layers. The learning rate falls to nothing along a cosine.
//
// The pictures stay [28, 28] bytes in memory; the graph makes images [28, 28, 1] of floats of them.

#include <algorithm>

#include <fmt/format.h>

#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/optim/schedule.h>
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
      Rescaling{1.0 / 255},
      Reshape{{28, 28, 1}},
      Conv2D{32, 3, relu},
      MaxPool2D{2},
      Conv2D{64, 3, relu},
      MaxPool2D{2},
      Flatten{},
      Dropout{0.3},
      Dense{128, relu},
      Dense{10},
  };
  model.build(data.train_images.type());
  fmt::print("{}\n", model.summary());
  const std::int64_t all = data.train_images.shape()[0];
  const std::int64_t images = std::min(arguments.limit.value_or(all), all);
  const std::int64_t steps = arguments.epochs * ((images + arguments.batch - 1) / arguments.batch);
  const auto rate = optim::cosine_decay({.initial_rate = arguments.learning_rate, .decay_steps = steps});
  model.compile({.optimizer = optim::adam({.learning_rate = rate}),
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

  Sequential classifier{model, Softmax{}};
  draw(arguments, data, history, classifier.predict(data.test_images));
  fmt::print("Pictures are in {}\n", arguments.out.string());
  explain(arguments, model.training_step());
  if (arguments.json) write_file(*arguments.json, report(model, history, test).dump(2) + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  return run_training_program(argc, argv, "Trains a convolutional classifier of Fashion-MNIST.", train,
                              {.epochs = 8, .batch = 64, .learning_rate = 0.002, .out = "out/cnn"});
}
