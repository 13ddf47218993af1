#include <lathe/runtime/model/sequential.h>

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>

#include "../../support/temporary_folder.h"

using namespace lathe;
using namespace lathe::nn;

namespace {

/// Points on a grid in three classes: which of three corners is nearest. Not a multiple of any batch size used here.
struct Toy {
  Tensor x = Tensor(DType::u8, {77, 1, 2});
  Tensor y = Tensor(DType::u8, {77});

  Toy() {
    const auto points = x.data<std::uint8_t>();
    const auto labels = y.data<std::uint8_t>();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto a = static_cast<std::uint8_t>(i % 11 * 25);
      const auto b = static_cast<std::uint8_t>(i / 11 * 40);
      points[2 * i] = a;
      points[2 * i + 1] = b;
      labels[i] = a > 127 ? 2 : b > 127 ? 1 : 0;
    }
  }
};

Sequential toy_model() {
  return {Rescaling{1.0 / 255}, Flatten{}, Dense{16, relu}, Dense{3}};
}

Training toy_training() {
  return {.optimizer = optim::adam({.learning_rate = 0.02}),
          .loss = sparse_softmax_cross_entropy,
          .metrics = {accuracy()},
          .session = {.threads = 1, .seed = 3}};
}

FitOptions quiet(std::int64_t epochs) {
  return {.epochs = epochs, .batch_size = 10, .verbosity = Verbosity::silent};
}

}  // namespace

TEST_CASE("a model learns, and reports loss and accuracy for every epoch") {
  const Toy toy;
  Sequential model = toy_model();
  model.compile(toy_training());
  FitOptions options = quiet(30);
  options.validation = Examples{toy.x, toy.y};
  const History history = model.fit(toy.x, toy.y, options);
  REQUIRE(history.epochs.size() == 30);
  CHECK(history.step_microseconds.size() == 30 * 8);
  CHECK(history.series("loss").back() < history.series("loss").front() / 2);
  CHECK(history.series("accuracy").back() > 0.9);
  const Measurements measured = model.evaluate(toy.x, toy.y);
  CHECK(measured.at("accuracy") == doctest::Approx(history.series("val_accuracy").back()).epsilon(1e-6));
  CHECK(measured.at("loss") == doctest::Approx(history.series("val_loss").back()).epsilon(1e-5));
}

TEST_CASE("the last, smaller batch takes part, and every size runs in one program") {
  const Toy toy;
  Sequential model = toy_model();
  model.compile(toy_training());
  model.fit(toy.x, toy.y, quiet(1));
  const std::size_t programs = model.session().compilations();
  for (const std::int64_t batch : {1, 7, 77, 100}) {
    FitOptions options = quiet(1);
    options.batch_size = batch;
    CHECK(model.fit(toy.x, toy.y, options).step_microseconds.size() ==
          static_cast<std::size_t>((77 + batch - 1) / batch));
  }
  CHECK(model.session().compilations() == programs);
}

TEST_CASE("equal seeds train to equal bits, other seeds do not") {
  const Toy toy;
  const auto hash = [&](std::uint64_t seed) {
    Sequential model = toy_model();
    Training training = toy_training();
    training.session.seed = seed;
    model.compile(training);
    model.fit(toy.x, toy.y, quiet(2));
    return model.session().weights_hash();
  };
  CHECK(hash(1) == hash(1));
  CHECK(hash(1) != hash(2));
}

TEST_CASE("a fit that goes on where another ended equals one that never stopped") {
  const Toy toy;
  Sequential straight = toy_model();
  straight.compile(toy_training());
  straight.fit(toy.x, toy.y, quiet(4));

  Sequential resumed = toy_model();
  resumed.compile(toy_training());
  resumed.fit(toy.x, toy.y, quiet(2));
  FitOptions rest = quiet(4);
  rest.first_epoch = 2;
  CHECK(resumed.fit(toy.x, toy.y, rest).epochs.front().epoch == 2);
  CHECK(resumed.session().weights_hash() == straight.session().weights_hash());
}

TEST_CASE("a softmax on top of a trained model gives its probabilities and shares its weights") {
  const Toy toy;
  Sequential model = toy_model();
  model.compile(toy_training());
  model.fit(toy.x, toy.y, quiet(1));
  const Sequential classifier_handle{model, Softmax{}};
  Sequential classifier = classifier_handle;
  const auto check = [&] {
    const Tensor logits = model.predict(toy.x, 10);
    const Tensor probabilities = classifier.predict(toy.x);
    REQUIRE(probabilities.shape() == Extents{77, 3});
    for (std::int64_t row = 0; row < 77; ++row) {
      double sum = 0;
      for (std::int64_t c = 0; c < 3; ++c) sum += std::exp(logits.at(row * 3 + c));
      for (std::int64_t c = 0; c < 3; ++c) {
        CHECK(probabilities.at(row * 3 + c) == doctest::Approx(std::exp(logits.at(row * 3 + c)) / sum).epsilon(1e-5));
      }
    }
  };
  check();
  model.fit(toy.x, toy.y, quiet(1));
  check();
}

TEST_CASE("a row's prediction does not depend on the batch it is in") {
  const Toy toy;
  Sequential model = toy_model();
  model.compile(toy_training());
  const Tensor one = model.predict(toy.x, 1);
  CHECK(model.predict(toy.x, 77) == one);
  CHECK(model.predict(toy.x, 9) == one);
}

TEST_CASE("the summary lists layers, output shapes and parameter counts") {
  Sequential model{Flatten{}, Rescaling{1.0 / 255}, Dense{128, relu}, Dropout{0.2}, Dense{10}};
  model.build({u8, {None, 28, 28}});
  CHECK(model.summary() ==
        "Model: \"sequential\"\n"
        "_________________________________________________________________\n"
        " Layer (type)                Output Shape              Param #   \n"
        "=================================================================\n"
        " flatten (Flatten)           (None, 784)               0         \n"
        " rescaling (Rescaling)       (None, 784)               0         \n"
        " dense (Dense)               (None, 128)               100480    \n"
        " dropout (Dropout)           (None, 128)               0         \n"
        " dense_1 (Dense)             (None, 10)                1290      \n"
        "=================================================================\n"
        "Total params: 101,770\n"
        "Trainable params: 101,770\n"
        "Non-trainable params: 0\n"
        "_________________________________________________________________\n");
}

TEST_CASE("convolutions and pooling are layers: shapes, parameters, and they learn where a stroke runs") {
  Sequential model{Rescaling{1.0 / 255},
                   Reshape{{6, 5, 1}},
                   Conv2D{.filters = 8, .kernel_size = 3, .activation = relu, .padding = Padding::same},
                   MaxPool2D{2},
                   Conv2D{4, {2, 1}, relu},
                   AvgPool2D{{1, 2}, 1},
                   Flatten{},
                   Dense{2}};
  Tensor x(DType::u8, {60, 6, 5});
  Tensor y(DType::u8, {60});
  for (std::size_t i = 0; i < 60; ++i) {  // across or down, at different places
    y.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 2);
    for (std::size_t k = 0; k < 5; ++k)
      x.data<std::uint8_t>()[30 * i + (i % 2 == 0 ? i % 6 * 5 + k : k * 5 + i % 5)] = 255;
  }
  model.compile({.optimizer = optim::adam({.learning_rate = 0.02}),
                 .loss = sparse_softmax_cross_entropy,
                 .metrics = {accuracy()},
                 .session = {.threads = 1, .seed = 3}});
  model.fit(x, y, quiet(30));
  CHECK(model.evaluate(x, y).at("accuracy") > 0.95);
  const std::string summary = model.summary();
  CAPTURE(summary);
  for (const auto row :
       {"(Conv2D)             (None, 6, 5, 8)           80", "(MaxPool2D)      (None, 3, 2, 8)           0",
        "(Conv2D)           (None, 2, 2, 4)           68", "(AvgPool2D)      (None, 2, 1, 4)           0",
        "Total params: 166"}) {
    CHECK(summary.find(row) != std::string::npos);
  }
}

TEST_CASE("dropout works in training only") {
  Tensor x(DType::f32, {64, 32});
  for (float& element : x.data<float>()) element = 1;
  const Tensor y(DType::f32, {64, 32});
  Sequential model{Dropout{0.5}, Dense{.units = 32, .kernel_initializer = init::ones}};
  const Loss first_output = [](Value, Value predictions) { return predictions; };
  model.compile({.optimizer = optim::sgd({.learning_rate = 0.0}), .loss = first_output});
  const Tensor predicted = model.predict(x);
  for (const float element : predicted.data<float>()) CHECK(element == 32);
  FitOptions options = quiet(1);
  options.batch_size = 64;
  const double dropped = model.fit(x, y, options).series("loss")[0];
  CHECK(dropped != 32);
  CHECK(dropped == doctest::Approx(32).epsilon(0.1));
  CHECK(model.evaluate(x, y).at("loss") == 32);
}

TEST_CASE("weights can be read and set") {
  Sequential model{Dense{2}};
  const Tensor x = Tensor::from<float>({1, 2}, {1, 10});
  model.build(x.type());
  model.set_weights(std::vector{Tensor::from<float>({2, 2}, {1, 2, 3, 4}), Tensor::from<float>({2}, {100, 200})});
  CHECK(model.predict(x) == Tensor::from<float>({1, 2}, {131, 242}));
  CHECK(model.weights()[1] == Tensor::from<float>({2}, {100, 200}));
  CHECK_THROWS_WITH_AS(model.set_weights({}), "the model has 2 weights, not 0", RunError);
}

TEST_CASE("misuse of a model is an error that says what to do") {
  const Toy toy;
  Sequential model = toy_model();
  CHECK_THROWS_WITH_AS(model.summary(), "summary needs a built model: build() it, or show it data", RunError);
  CHECK_THROWS_WITH_AS(model.fit(toy.x, toy.y), "fit needs compile() with a loss before it", RunError);
  model.compile(toy_training());
  CHECK_THROWS_WITH_AS(model.fit(toy.x, Tensor(DType::u8, {76})),
                       "tensor 1 of the dataset has 76 examples, tensor 0 has 77", DataError);
  CHECK_THROWS_WITH_AS(model.evaluate(Tensor(DType::u8, {0, 1, 2}), Tensor(DType::u8, {0})),
                       "there are no examples to evaluate", DataError);

  Sequential bytes{Flatten{}, Dense{3}};
  CHECK_THROWS_WITH_AS(bytes.build(toy.x.type()), doctest::Contains("takes floats, not u8: put a Rescaling before it"),
                       GraphError);
  Sequential a{Dense{3}};
  Sequential b{Dense{3}};
  a.build({f32, {None, 3}});
  b.build({f32, {None, 3}});
  Sequential both{a, b};
  CHECK_THROWS_WITH_AS(both.build({f32, {None, 3}}), doctest::Contains("built apart"), GraphError);
}

TEST_CASE("a label that is no class stops the training and leaves the weights as they were") {
  Toy toy;
  toy.y.data<std::uint8_t>()[5] = 3;
  Sequential model = toy_model();
  model.compile(toy_training());
  model.build(toy.x.type());
  FitOptions options = quiet(1);
  options.batch_size = 77;
  options.shuffle = false;
  std::vector<Tensor> before;
  options.callbacks = {{.on_train_begin = [&](FitControl& control) { before = control.model.weights(); }}};
  CHECK_THROWS_WITH_AS(model.fit(toy.x, toy.y, options), doctest::Contains("label 3 at row 5"), RunError);
  CHECK(model.weights() == before);
}
