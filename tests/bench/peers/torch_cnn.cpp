#include <memory>

#include "torch.h"
#include "torch_support.h"

namespace lathe::bench::torch_peer {
namespace {

/// How images and filters lie in memory: channels outermost, torch's own way, or innermost.
struct Layout {
  const char* name;
  torch::MemoryFormat format;
};

constexpr Layout layouts[] = {{"libtorch", torch::MemoryFormat::Contiguous},
                              {"libtorch, channels last", torch::MemoryFormat::ChannelsLast}};

struct Model {
  torch::nn::Conv2d first{torch::nn::Conv2dOptions(1, Cnn::first_filters, 3)};
  torch::nn::Conv2d second{torch::nn::Conv2dOptions(Cnn::first_filters, Cnn::second_filters, 3)};
  torch::nn::Linear third{Cnn::flat, Cnn::hidden};
  torch::nn::Linear fourth{Cnn::hidden, Cnn::classes};

  Model(const Cnn& cnn, torch::MemoryFormat format) {
    const torch::NoGradGuard no_gradient;
    constexpr std::int64_t c1 = Cnn::first_filters;
    constexpr std::int64_t c2 = Cnn::second_filters;
    constexpr std::int64_t side = Cnn::last_side;
    first->weight.copy_(borrow(cnn.k1, {3, 3, 1, c1}).permute({3, 2, 0, 1}));
    first->bias.copy_(borrow(cnn.b1, {c1}));
    second->weight.copy_(borrow(cnn.k2, {3, 3, c1, c2}).permute({3, 2, 0, 1}));
    second->bias.copy_(borrow(cnn.b2, {c2}));
    // Flattened pixels come channel by channel here.
    const auto w3 =
        borrow(cnn.w3, {side, side, c2, Cnn::hidden}).permute({2, 0, 1, 3}).reshape({Cnn::flat, Cnn::hidden});
    third->weight.copy_(w3.t());
    third->bias.copy_(borrow(cnn.b3, {Cnn::hidden}));
    fourth->weight.copy_(borrow(cnn.w4, {Cnn::hidden, Cnn::classes}).t());
    fourth->bias.copy_(borrow(cnn.b4, {Cnn::classes}));
    first->weight.set_data(first->weight.contiguous(format));
    second->weight.set_data(second->weight.contiguous(format));
  }
  std::vector<torch::Tensor> parameters() const {
    return {first->weight, first->bias, second->weight, second->bias,
            third->weight, third->bias, fourth->weight, fourth->bias};
  }
  torch::Tensor logits(torch::Tensor x) {
    x = torch::max_pool2d(torch::relu(first->forward(x)), 2);
    x = torch::max_pool2d(torch::relu(second->forward(x)), 2);
    return fourth->forward(torch::relu(third->forward(x.contiguous().flatten(1))));
  }
};

}  // namespace

std::vector<Contestant> cnn_step(const CnnProblem& problem) {
  const auto images = borrow(problem.images, {static_cast<std::int64_t>(problem.labels.size()), 1, 28, 28});
  std::vector<Contestant> contestants;
  for (const Layout& layout : layouts) {
    const auto prepare = [format = layout.format](const torch::Tensor& batch) {
      return batch.to(torch::kFloat).mul_(1.0 / 255).contiguous(format);
    };
    const auto trainer =
        std::make_shared<Trainer<Model>>(problem, Model(problem.initial, layout.format), images, prepare);
    contestants.push_back(steps_of(layout.name, trainer, problem.threads));
  }
  return contestants;
}

}  // namespace lathe::bench::torch_peer
