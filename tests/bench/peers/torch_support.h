#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "../../../examples/laboratory/torch_threads.h"
#include "../support/contest.h"
#include "batch_order.h"

/// What libtorch's contestants share.
namespace lathe::bench::torch_peer {

/// Borrowed data as a tensor.
inline torch::Tensor borrow(std::span<const float> data, at::IntArrayRef shape) {
  return torch::from_blob(const_cast<float*>(data.data()), shape, torch::kFloat);
}

inline std::vector<double> numbers(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().contiguous();
  const float* const begin = flat.data_ptr<float>();
  return {begin, begin + flat.numel()};
}

/// Borrowed bytes as a tensor.
inline torch::Tensor borrow(std::span<const std::uint8_t> data, at::IntArrayRef shape) {
  return torch::from_blob(const_cast<std::uint8_t*>(data.data()), shape, torch::kByte);
}

/// Steps of Adam for a classifier with `parameters` and `logits`, over batches of shuffled images.
template <class Model>
class Trainer {
 public:
  using Prepare = std::function<torch::Tensor(torch::Tensor batch)>;

  /// `images`: one a row, in any form that `prepare` makes the model's input of.
  template <class Problem>
  Trainer(const Problem& problem, Model model, torch::Tensor images, Prepare prepare)
      : model_(std::move(model)),
        optimizer_(model_.parameters(), torch::optim::AdamOptions(0.001).eps(1e-7)),
        order_(static_cast<std::int64_t>(problem.labels.size()), problem.batch, problem.shuffle_seed),
        images_(std::move(images)),
        labels_(borrow(problem.labels, {static_cast<std::int64_t>(problem.labels.size())}).to(torch::kLong)),
        prepare_(std::move(prepare)) {}

  void step() {
    const auto examples = order_.next();
    const auto index = torch::from_blob(const_cast<std::int64_t*>(examples.data()),
                                        {static_cast<std::int64_t>(examples.size())}, torch::kLong);
    const auto x = prepare_(images_.index_select(0, index));
    const auto y = labels_.index_select(0, index);
    optimizer_.zero_grad();
    const auto loss = torch::nn::functional::cross_entropy(model_.logits(x), y);
    loss.backward();
    optimizer_.step();
    loss_ = loss.template item<float>();
  }
  float loss() const { return loss_; }

 private:
  Model model_;
  torch::optim::Adam optimizer_;
  BatchOrder order_;
  torch::Tensor images_;
  torch::Tensor labels_;
  Prepare prepare_;
  float loss_ = 0;
};

/// A step of `trainer` at a time; the result is the loss of the latest.
template <class Model>
Contestant steps_of(std::string name, std::shared_ptr<Trainer<Model>> trainer, int threads) {
  return {.name = std::move(name),
          .run = [trainer] { trainer->step(); },
          .result = [trainer] { return std::vector<double>{trainer->loss()}; },
          .prepare = [threads] { use_torch_threads(threads); }};
}

}  // namespace lathe::bench::torch_peer
