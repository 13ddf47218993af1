#include "openblas.h"

namespace lathe::bench::openblas {

std::optional<std::string> description() {
  return std::nullopt;
}

std::vector<Contestant> matmul(const MatmulProblem<float>&) {
  return {};
}

std::vector<Contestant> matmul(const MatmulProblem<double>&) {
  return {};
}

}  // namespace lathe::bench::openblas
