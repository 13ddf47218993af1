#include <cmath>
#include <functional>
#include <memory>
#include <regex>

#include <torch/version.h>

#include "environment.h"
#include "torch.h"
#include "torch_support.h"

namespace lathe::bench::torch_peer {
namespace {

std::vector<Contestant> function_of_rows(const RowsProblem& problem,
                                         std::function<torch::Tensor(const torch::Tensor&)> function) {
  const torch::Tensor x = borrow(problem.x, {problem.rows, problem.columns});
  const auto y = std::make_shared<torch::Tensor>();
  return {{.name = "libtorch",
           .run =
               [=] {
                 const torch::InferenceMode guard;
                 *y = torch::Tensor();  // frees the last result first, so that its memory can serve again
                 *y = function(x);
               },
           .result = [=] { return numbers(*y); },
           .prepare = [threads = problem.threads] { use_torch_threads(threads); }}};
}

Contestant optimizer(const AdamProblem& problem) {
  struct State {
    torch::Tensor w;
    torch::optim::Adam adam;
  };
  const auto count = static_cast<std::int64_t>(problem.gradient.size());
  torch::Tensor w = torch::zeros({count}).requires_grad_();
  w.mutable_grad() = borrow(problem.gradient, {count});
  const auto state = std::make_shared<State>(
      State{w, torch::optim::Adam(std::vector<torch::Tensor>{w}, torch::optim::AdamOptions(0.001).eps(1e-7))});
  return {.name = "libtorch, optim::Adam",
          .run = [state] { state->adam.step(); },
          .result = [state] { return numbers(state->w); },
          .prepare = [threads = problem.threads] { use_torch_threads(threads); }};
}

Contestant in_place(const AdamProblem& problem) {
  struct State {
    torch::Tensor g;
    torch::Tensor w = torch::zeros_like(g);
    torch::Tensor m = torch::zeros_like(g);
    torch::Tensor v = torch::zeros_like(g);
    torch::Tensor denominator = torch::zeros_like(g);
    int updates = 0;
  };
  const auto state =
      std::make_shared<State>(State{borrow(problem.gradient, {static_cast<std::int64_t>(problem.gradient.size())})});
  return {.name = "libtorch, in place",
          .run =
              [state] {
                const torch::InferenceMode guard;
                auto& [g, w, m, v, denominator, updates] = *state;
                ++updates;
                const double alpha = 0.001 * std::sqrt(1 - std::pow(0.999, updates)) / (1 - std::pow(0.9, updates));
                m.mul_(0.9).add_(g, 0.1);
                v.mul_(0.999).addcmul_(g, g, 0.001);
                at::sqrt_out(denominator, v);
                denominator.add_(1e-7);
                w.addcdiv_(m, denominator, -alpha);
              },
          .result = [state] { return numbers(state->w); },
          .prepare = [threads = problem.threads] { use_torch_threads(threads); }};
}

}  // namespace

std::optional<std::string> description() {
  // "... - CPU capability usage: AVX512 ..."
  const std::string configuration = at::show_config();
  std::smatch capability;
  std::regex_search(configuration, capability, std::regex("CPU capability usage: (\\w+)"));
  const std::string kernels = capability.empty() ? "" : ", kernels " + capability.str(1);
  return TORCH_VERSION + kernels + openmp_environment();
}

std::vector<Contestant> softmax(const RowsProblem& problem) {
  return function_of_rows(problem, [](const torch::Tensor& x) { return torch::softmax(x, 1); });
}

std::vector<Contestant> layer_norm(const RowsProblem& problem) {
  const torch::Tensor scale = torch::ones({problem.columns});
  const torch::Tensor offset = torch::zeros({problem.columns});
  return function_of_rows(
      problem, [=](const torch::Tensor& x) { return torch::layer_norm(x, {x.size(1)}, scale, offset, 1e-5); });
}

std::vector<Contestant> gelu(const RowsProblem& problem) {
  return function_of_rows(problem, [](const torch::Tensor& x) { return torch::gelu(x); });
}

std::vector<Contestant> transpose(const RowsProblem& problem) {
  return function_of_rows(problem, [](const torch::Tensor& x) { return x.t().contiguous(); });
}

std::vector<Contestant> adam(const AdamProblem& problem) {
  return {optimizer(problem), in_place(problem)};
}

std::vector<Contestant> increment() {
  const torch::Tensor x = torch::ones({1});
  const auto y = std::make_shared<torch::Tensor>();
  return {{.name = "libtorch, x + 1",
           .run =
               [=] {
                 const torch::InferenceMode guard;
                 *y = x + 1;
               },
           .result = [=] { return numbers(*y); },
           .prepare = [] { use_torch_threads(1); }}};
}

std::vector<Contestant> small_sum(std::int64_t size) {
  const torch::Tensor x = torch::ones({size});
  const torch::Tensor y = torch::ones({size});
  const auto z = std::make_shared<torch::Tensor>();
  return {{.name = "libtorch",
           .run =
               [=] {
                 const torch::InferenceMode guard;
                 *z = x + y;
               },
           .result = [=] { return numbers(*z); },
           .prepare = [] { use_torch_threads(1); }}};
}

}  // namespace lathe::bench::torch_peer
