#include "classifier.h"

#include <vector>

#include <fmt/format.h>

#include "pictures.h"

namespace lathe::examples {
namespace {

constexpr auto& classes = data::fashion_mnist_classes;

}  // namespace

nlohmann::json report(const nn::Sequential& model, const nn::History& history, const nn::Measurements& test) {
  const ProgramStatistics program = model.training_step().statistics();
  nlohmann::json epochs = nlohmann::json::array();
  for (const nn::EpochLog& epoch : history.epochs) {
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

void draw(const TrainingArguments& arguments, const data::FashionMnist& data, const nn::History& history,
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

}  // namespace lathe::examples
