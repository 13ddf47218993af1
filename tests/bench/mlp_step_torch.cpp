#include "mlp_step_torch.h"

#include <torch/torch.h>
#include <torch/version.h>

namespace lathe::bench {
namespace {

constexpr std::int64_t pixels = 784;
constexpr std::int64_t hidden = 128;
constexpr std::int64_t classes = 10;

torch::Tensor tensor_of(const std::vector<float>& values, std::vector<std::int64_t> shape) {
  return torch::from_blob(const_cast<float*>(values.data()), shape, torch::kFloat).clone();
}

class Mlp : public TorchMlp {
 public:
  Mlp(std::span<const std::uint8_t> images, std::span<const std::uint8_t> labels, const MlpWeights& initial,
      TorchInput input)
      : first_(pixels, hidden), second_(hidden, classes), optimizer_(adam()) {
    const auto count = static_cast<std::int64_t>(labels.size());
    images_ = torch::from_blob(const_cast<std::uint8_t*>(images.data()), {count, pixels}, torch::kByte).clone();
    labels_ = torch::from_blob(const_cast<std::uint8_t*>(labels.data()), {count}, torch::kByte).to(torch::kLong);
    if (input == TorchInput::floats) images_ = images_.to(torch::kFloat).div_(255);
    const torch::NoGradGuard no_gradient;
    first_->weight.copy_(tensor_of(initial.w1, {pixels, hidden}).t());
    first_->bias.copy_(tensor_of(initial.b1, {hidden}));
    second_->weight.copy_(tensor_of(initial.w2, {hidden, classes}).t());
    second_->bias.copy_(tensor_of(initial.b2, {classes}));
  }

  float step(std::span<const std::int64_t> examples) override {
    const auto index = torch::from_blob(const_cast<std::int64_t*>(examples.data()),
                                        {static_cast<std::int64_t>(examples.size())}, torch::kLong);
    auto x = images_.index_select(0, index);
    if (x.scalar_type() == torch::kByte) x = x.to(torch::kFloat).mul_(1.0 / 255);
    const auto y = labels_.index_select(0, index);
    optimizer_.zero_grad();
    const auto logits = second_->forward(torch::relu(first_->forward(x)));
    const auto loss = torch::nn::functional::cross_entropy(logits, y);
    loss.backward();
    optimizer_.step();
    return loss.item<float>();
  }

 private:
  torch::optim::Adam adam() {
    std::vector<torch::Tensor> parameters;
    for (const auto& layer : {first_, second_}) {
      parameters.push_back(layer->weight);
      parameters.push_back(layer->bias);
    }
    return torch::optim::Adam(parameters, torch::optim::AdamOptions(0.001).eps(1e-7));
  }

  torch::nn::Linear first_;
  torch::nn::Linear second_;
  torch::optim::Adam optimizer_;
  torch::Tensor images_;
  torch::Tensor labels_;
};

}  // namespace

std::unique_ptr<TorchMlp> make_torch_mlp(std::span<const std::uint8_t> images, std::span<const std::uint8_t> labels,
                                         const MlpWeights& initial, TorchInput input) {
  return std::make_unique<Mlp>(images, labels, initial, input);
}

void set_torch_threads(int threads) {
  at::set_num_threads(threads);
}

std::string torch_version() {
  return "libtorch " TORCH_VERSION;
}

}  // namespace lathe::bench
