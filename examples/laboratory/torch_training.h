#pragma once

#include <vector>

#include <torch/torch.h>

#include <lathe/graph/tensor.h>

#include "batch.h"

namespace lathe::laboratory {

/// Way (e): libtorch, eagerly, in its usual form: modules, autograd, torch::optim.
class TorchTraining {
 public:
  explicit TorchTraining(const std::vector<Tensor>& initial) {
    const torch::NoGradGuard no_gradient;
    hidden->weight.copy_(borrow(initial[0]).t());
    hidden->bias.copy_(borrow(initial[1]));
    output->weight.copy_(borrow(initial[2]).t());
    output->bias.copy_(borrow(initial[3]));
  }

  float step(const Batch& batch) {
    const auto images = borrow(batch.images()).to(torch::kFloat).mul_(1.0 / 255);
    const auto labels = borrow(batch.labels()).to(torch::kLong);
    adam.zero_grad();
    const auto logits = output->forward(torch::relu(hidden->forward(images)));
    const auto loss = torch::nn::functional::cross_entropy(logits, labels);
    loss.backward();
    adam.step();
    return loss.item<float>();
  }

  static torch::Tensor borrow(const TensorView& view) {
    const auto type = view.dtype == DType::u8 ? torch::kByte : torch::kFloat;
    return torch::from_blob(const_cast<std::byte*>(view.data), {view.shape.data(), view.shape.size()}, type);
  }

  torch::nn::Linear hidden{784, 128};
  torch::nn::Linear output{128, 10};
  torch::optim::Adam adam{{hidden->weight, hidden->bias, output->weight, output->bias},
                          torch::optim::AdamOptions(0.001).eps(1e-7)};
};

}  // namespace lathe::laboratory
