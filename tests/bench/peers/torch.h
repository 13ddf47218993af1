#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../support/contest.h"
#include "problems.h"

/// libtorch's contestants; none in a build without it. Each in its usual form: modules, autograd, torch::optim.
namespace lathe::bench::torch_peer {

/// "1.13.1, kernels AVX512"
std::optional<std::string> description();

/// With batches gathered as u8 and then scaled, and gathered from data that was scaled beforehand, in four times the
/// memory.
std::vector<Contestant> training_step(const TrainingProblem& problem);
/// With images and filters as libtorch has them, and with channels last.
std::vector<Contestant> cnn_step(const CnnProblem& problem);
std::vector<Contestant> inference(const InferenceProblem& problem);

std::vector<Contestant> softmax(const RowsProblem& problem);
/// With a scale of 1 and an offset of 0, as they begin.
std::vector<Contestant> layer_norm(const RowsProblem& problem);
/// x times the standard normal distribution at x, by erf.
std::vector<Contestant> gelu(const RowsProblem& problem);
/// Rows become columns, in memory.
std::vector<Contestant> transpose(const RowsProblem& problem);
/// torch::optim::Adam, and the same formula as Lathe's in operations in place.
std::vector<Contestant> adam(const AdamProblem& problem);
/// One number plus one.
std::vector<Contestant> increment();
/// So many numbers plus as many.
std::vector<Contestant> small_sum(std::int64_t size);

}  // namespace lathe::bench::torch_peer
