#include <memory>

#include "batch_order.h"
#include "torch.h"
#include "torch_support.h"

namespace lathe::bench::torch_peer {
namespace {

constexpr std::int64_t pixels = Mlp::pixels;
constexpr std::int64_t hidden = Mlp::hidden;
constexpr std::int64_t classes = Mlp::classes;

/// How a batch is gathered.
enum class Data {
  bytes,   // u8 rows, then converts and scales the batch
  floats,  // rows of a data set that was converted and scaled beforehand
};

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

class Trainer {
 public:
  Trainer(const TrainingProblem& problem, Data data)
      : model_(problem.initial),
        optimizer_(model_.parameters(), torch::optim::AdamOptions(0.001).eps(1e-7)),
        order_(static_cast<std::int64_t>(problem.labels.size()), problem.batch, problem.shuffle_seed) {
    const auto count = static_cast<std::int64_t>(problem.labels.size());
    images_ = torch::from_blob(const_cast<std::uint8_t*>(problem.images.data()), {count, pixels}, torch::kByte);
    labels_ = torch::from_blob(const_cast<std::uint8_t*>(problem.labels.data()), {count}, torch::kByte);
    labels_ = labels_.to(torch::kLong);
    if (data == Data::floats) images_ = images_.to(torch::kFloat).div_(255);
  }

  void step() {
    const auto examples = order_.next();
    const auto index = torch::from_blob(const_cast<std::int64_t*>(examples.data()),
                                        {static_cast<std::int64_t>(examples.size())}, torch::kLong);
    auto x = images_.index_select(0, index);
    if (x.scalar_type() == torch::kByte) x = x.to(torch::kFloat).mul_(1.0 / 255);
    const auto y = labels_.index_select(0, index);
    optimizer_.zero_grad();
    const auto loss = torch::nn::functional::cross_entropy(model_.logits(x), y);
    loss.backward();
    optimizer_.step();
    loss_ = loss.item<float>();
  }
  float loss() const { return loss_; }

 private:
  Model model_;
  torch::optim::Adam optimizer_;
  BatchOrder order_;
  torch::Tensor images_;
  torch::Tensor labels_;
  float loss_ = 0;
};

}  // namespace

std::vector<Contestant> training_step(const TrainingProblem& problem) {
  std::vector<Contestant> contestants;
  for (const Data data : {Data::bytes, Data::floats}) {
    const auto trainer = std::make_shared<Trainer>(problem, data);
    contestants.push_back({.name = data == Data::bytes ? "libtorch, u8 data" : "libtorch, f32 data",
                           .run = [trainer] { trainer->step(); },
                           .result = [trainer] { return std::vector<double>{trainer->loss()}; },
                           .prepare = [threads = problem.threads] { at::set_num_threads(threads); }});
  }
  return contestants;
}

std::vector<Contestant> inference(const InferenceProblem& problem) {
  const auto model = std::make_shared<Model>(problem.model);
  const auto images =
      torch::from_blob(const_cast<std::uint8_t*>(problem.images.data()), {problem.batch, pixels}, torch::kByte);
  const auto probabilities = std::make_shared<torch::Tensor>();
  return {{.name = "libtorch",
           .run =
               [=] {
                 const torch::InferenceMode guard;
                 *probabilities = torch::softmax(model->logits(images.to(torch::kFloat).mul_(1.0 / 255)), 1);
               },
           .result = [=] { return numbers(*probabilities); },
           .prepare = [threads = problem.threads] { at::set_num_threads(threads); }}};
}

}  // namespace lathe::bench::torch_peer
