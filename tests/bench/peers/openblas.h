#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../support/contest.h"
#include "problems.h"

/// OpenBLAS's contestants; none in a build without it.
namespace lathe::bench::openblas {

/// "0.3.21, kernels Haswell (OPENBLAS_CORETYPE=Haswell)"
std::optional<std::string> description();

std::vector<Contestant> matmul(const MatmulProblem<float>& problem);
std::vector<Contestant> matmul(const MatmulProblem<double>& problem);

}  // namespace lathe::bench::openblas
