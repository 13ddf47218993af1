#include "classifier.h"

namespace lathe::bench {

TrainingData training_data() {
  try {
    auto data = data::fashion_mnist();
    return {std::move(data.train_images), std::move(data.train_labels)};
  } catch (const DataError&) {
    constexpr std::int64_t count = 60000;
    constexpr std::uint64_t seed = 1;
    TrainingData data{Tensor(u8, {count, 28, 28}), Tensor(u8, {count})};
    std::uint64_t number = 0;
    for (auto& level : data.images.data<std::uint8_t>()) level = data::derive_seed(seed, number++) & 0xffU;
    for (auto& label : data.labels.data<std::uint8_t>()) label = data::derive_seed(seed, number++) % Mlp::classes;
    return data;
  }
}

Classifier::Classifier() {
  const Value x = flatten(cast(images, f32) * (1.0 / 255));
  logits = nn::dense(nn::dense(x, Mlp::hidden, {.activation = relu}), Mlp::classes);
  probabilities = softmax(logits);
  loss = mean(sparse_softmax_cross_entropy(labels, logits));
}

Value Classifier::train() {
  return optim::adam().minimize(loss);
}

Mlp parameters(const Session& session) {
  const auto read = [&](std::string_view name) {
    const Tensor tensor = session.variable(name);
    return std::vector<float>(tensor.data<float>().begin(), tensor.data<float>().end());
  };
  return {read("dense/kernel"), read("dense/bias"), read("dense_1/kernel"), read("dense_1/bias")};
}

}  // namespace lathe::bench
