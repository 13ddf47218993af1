#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../support/contest.h"
#include "problems.h"

/// oneDNN's contestants; none in a build without it. Primitives are made once, outside of what is timed.
namespace lathe::bench::onednn {

/// "2.6.3, AVX-512 with bf16"
std::optional<std::string> description();

/// With b as it is given, and with b in the layout that oneDNN prefers, reordered beforehand.
std::vector<Contestant> matmul(const MatmulProblem<float>& problem);

/// With the filter in the layout that oneDNN prefers, reordered beforehand; images stay [N, H, W, C].
std::vector<Contestant> convolution(const ConvolutionProblem& problem);
std::vector<Contestant> convolution_input_gradient(const ConvolutionProblem& problem);
std::vector<Contestant> convolution_filter_gradient(const ConvolutionProblem& problem);

/// Composed by hand: matmul primitives with bias and ReLU fused in, plain loops for the rest, one loop for all of Adam.
/// With the first kernel as it is, and in the layout that oneDNN prefers, reordered after each update.
std::vector<Contestant> training_step(const TrainingProblem& problem);

/// The same forward pass; kernels as they are, and reordered beforehand.
std::vector<Contestant> inference(const InferenceProblem& problem);

}  // namespace lathe::bench::onednn
