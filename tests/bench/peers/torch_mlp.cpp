#include <memory>

#include "torch.h"
#include "torch_support.h"

namespace lathe::bench::torch_peer {
namespace {

constexpr std::int64_t pixels = Mlp::pixels;
constexpr std::int64_t hidden = Mlp::hidden;
constexpr std::int64_t classes = Mlp::classes;

struct Model {
  torch::nn::Linear first{pixels, hidden};
  torch::nn::Linear second{hidden, classes};

  explicit Model(const Mlp& mlp) {
    const torch::NoGradGuard no_gradient;
    first->weight.copy_(borrow(mlp.w1, {pixels, hidden}).t());
    first->bias.copy_(borrow(mlp.b1, {hidden}));
    second->weight.copy_(borrow(mlp.w2, {hidden, classes}).t());
    second->bias.copy_(borrow(mlp.b2, {classes}));
  }
  std::vector<torch::Tensor> parameters() const { return {first->weight, first->bias, second->weight, second->bias}; }
  torch::Tensor logits(const torch::Tensor& x) { return second->forward(torch::relu(first->forward(x))); }
};

}  // namespace

std::vector<Contestant> training_step(const TrainingProblem& problem) {
  const auto bytes = borrow(problem.images, {static_cast<std::int64_t>(problem.labels.size()), pixels});
  const auto scaled = [](const torch::Tensor& batch) { return batch.to(torch::kFloat).mul_(1.0 / 255); };
  const auto as_it_is = [](torch::Tensor batch) { return batch; };
  // Gathers u8 rows, then converts and scales the batch; or rows of a data set that was converted and scaled
  // beforehand.
  const auto by_bytes = std::make_shared<Trainer<Model>>(problem, Model(problem.initial), bytes, scaled);
  const auto by_floats =
      std::make_shared<Trainer<Model>>(problem, Model(problem.initial), bytes.to(torch::kFloat).div_(255), as_it_is);
  return {steps_of("libtorch, u8 data", by_bytes, problem.threads),
          steps_of("libtorch, f32 data", by_floats, problem.threads)};
}

std::vector<Contestant> inference(const InferenceProblem& problem) {
  const auto model = std::make_shared<Model>(problem.model);
  const auto images = borrow(problem.images, {problem.batch, pixels});
  const auto probabilities = std::make_shared<torch::Tensor>();
  return {{.name = "libtorch",
           .run =
               [=] {
                 const torch::InferenceMode guard;
                 *probabilities = torch::softmax(model->logits(images.to(torch::kFloat).mul_(1.0 / 255)), 1);
               },
           .result = [=] { return numbers(*probabilities); },
           .prepare = [threads = problem.threads] { use_torch_threads(threads); }}};
}

}  // namespace lathe::bench::torch_peer
