#include "onednn.h"

namespace lathe::bench::onednn {

std::optional<std::string> description() {
  return std::nullopt;
}

std::vector<Contestant> matmul(const MatmulProblem<float>&) {
  return {};
}

std::vector<Contestant> convolution(const ConvolutionProblem&) {
  return {};
}

std::vector<Contestant> convolution_input_gradient(const ConvolutionProblem&) {
  return {};
}

std::vector<Contestant> convolution_filter_gradient(const ConvolutionProblem&) {
  return {};
}

std::vector<Contestant> training_step(const TrainingProblem&) {
  return {};
}

std::vector<Contestant> inference(const InferenceProblem&) {
  return {};
}

}  // namespace lathe::bench::onednn
