#include "torch.h"

namespace lathe::bench::torch_peer {

std::optional<std::string> description() {
  return std::nullopt;
}

std::vector<Contestant> training_step(const TrainingProblem&) {
  return {};
}

std::vector<Contestant> cnn_step(const CnnProblem&) {
  return {};
}

std::vector<Contestant> inference(const InferenceProblem&) {
  return {};
}

std::vector<Contestant> softmax(const RowsProblem&) {
  return {};
}

std::vector<Contestant> layer_norm(const RowsProblem&) {
  return {};
}

std::vector<Contestant> gelu(const RowsProblem&) {
  return {};
}

std::vector<Contestant> transpose(const RowsProblem&) {
  return {};
}

std::vector<Contestant> adam(const AdamProblem&) {
  return {};
}

std::vector<Contestant> increment() {
  return {};
}

std::vector<Contestant> small_sum(std::int64_t) {
  return {};
}

}  // namespace lathe::bench::torch_peer
