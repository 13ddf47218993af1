// The whole tutorial with the layers interface: load, train, evaluate, predict, draw.
//
// A network of 784 pixels, 128 hidden units and 10 logits learns to tell ten kinds of clothing apart. Its outputs are
// logits; a softmax layer put on top of the trained model makes probabilities of them.

#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/runtime/data/fashion_mnist.h>
#include <lathe/runtime/model/sequential.h>

#include "support/pictures.h"
#include "support/program.h"
#include "support/write_file.h"

using namespace lathe;
using namespace lathe::nn;
using namespace lathe::examples;

namespace {

constexpr auto& classes = data::fashion_mnist_classes;

nlohmann::json report(const Sequential& model, const History& history, const Measurements& test) {
  const ProgramStatistics program = model.training_step().statistics();
  nlohmann::json epochs = nlohmann::json::array();
  for (const EpochLog& epoch : history.epochs) {
    epochs.push_back(
        {{"loss", epoch.values.at("loss")}, {"accuracy", epoch.values.at("accuracy")}, {"seconds", epoch.seconds}});
  }
  return {{"epochs", epochs},
          {"test_loss", test.at("loss")},
          {"test_accuracy", test.at("accuracy")},
          {"steps", history.step_microseconds.size()},
          {"step_us_median", history.median_step_microseconds()},
          {"compile_ms", program.compile_milliseconds},
          {"kernels", program.kernels},
          {"arena_bytes", program.arena_bytes},
          {"threads", model.session().threads()},
          {"cpu", fmt::format("{} ({})", cpu_name(), program.target)},
          {"weights_hash", fmt::format("{:016x}", model.session().weights_hash())}};
}

void draw(const TrainingArguments& arguments, const data::FashionMnist& data, const History& history,
          const Tensor& probabilities) {
  const LabelledImages train{data.train_images, data.train_labels, classes};
  const LabelledImages test{data.test_images, data.test_labels, classes};
  draw_samples(arguments.out / "samples.png", train);
  draw_curves(arguments.out / "curves.png",
              std::vector<Panel>{
                  {"Loss", {{"training", history.series("loss")}, {"test", history.series("val_loss")}}},
                  {"Accuracy", {{"training", history.series("accuracy")}, {"test", history.series("val_accuracy")}}}});
  draw_predictions(arguments.out / "prediction_0.png", test, probabilities, 0);
  draw_predictions(arguments.out / "prediction_12.png", test, probabilities, 12);
  constexpr int columns = 3;
  constexpr int rows = 5;
  draw_predictions(arguments.out / "predictions.png", test, probabilities, 0, columns, rows);
}

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
  if (arguments.json) write_file(*arguments.json, figures.dump(2) + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  return run_training_program(argc, argv, "Trains a classifier of Fashion-MNIST and draws what it predicts.", train);
}
