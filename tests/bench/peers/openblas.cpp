#include "openblas.h"

#include <memory>
#include <sstream>

#include <cblas.h>
#include <fmt/format.h>

#include "aligned.h"
#include "environment.h"

namespace lathe::bench::openblas {
namespace {

void gemm(const MatmulProblem<float>& p, float* c) {
  const auto m = static_cast<blasint>(p.m);
  const auto n = static_cast<blasint>(p.n);
  const auto k = static_cast<blasint>(p.k);
  cblas_sgemm(CblasRowMajor, p.transpose_a ? CblasTrans : CblasNoTrans, p.transpose_b ? CblasTrans : CblasNoTrans, m, n,
              k, 1, p.a.data(), p.transpose_a ? m : k, p.b.data(), p.transpose_b ? k : n, 0, c, n);
}

void gemm(const MatmulProblem<double>& p, double* c) {
  const auto m = static_cast<blasint>(p.m);
  const auto n = static_cast<blasint>(p.n);
  const auto k = static_cast<blasint>(p.k);
  cblas_dgemm(CblasRowMajor, p.transpose_a ? CblasTrans : CblasNoTrans, p.transpose_b ? CblasTrans : CblasNoTrans, m, n,
              k, 1, p.a.data(), p.transpose_a ? m : k, p.b.data(), p.transpose_b ? k : n, 0, c, n);
}

template <class T>
std::vector<Contestant> contestants(const MatmulProblem<T>& problem) {
  const auto c = std::make_shared<AlignedVector<T>>(problem.m * problem.n);
  return {{.name = "OpenBLAS",
           .run = [problem, c] { gemm(problem, c->data()); },
           .result = [c] { return std::vector<double>(c->begin(), c->end()); },
           .prepare = [threads = problem.threads] { openblas_set_num_threads(threads); }}};
}

}  // namespace

std::optional<std::string> description() {
  std::istringstream config(openblas_get_config());  // "OpenBLAS 0.3.21 DYNAMIC_ARCH ..."
  std::string name;
  std::string version;
  config >> name >> version;
  return fmt::format("{}, kernels {}{}", version, openblas_get_corename(),
                     environment({"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_THREAD_TIMEOUT"}));
}

std::vector<Contestant> matmul(const MatmulProblem<float>& problem) {
  return contestants(problem);
}

std::vector<Contestant> matmul(const MatmulProblem<double>& problem) {
  return contestants(problem);
}

}  // namespace lathe::bench::openblas
