#include "onednn_matmul.h"

#include <memory>

#include <fmt/format.h>
#include <omp.h>

#include "environment.h"
#include "onednn.h"

namespace lathe::bench::onednn {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

std::string instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41: return "SSE 4.1";
    case dnnl::cpu_isa::avx: return "AVX";
    case dnnl::cpu_isa::avx2: return "AVX2";
    case dnnl::cpu_isa::avx2_vnni: return "AVX2 with VNNI";
    case dnnl::cpu_isa::avx512_core: return "AVX-512";
    case dnnl::cpu_isa::avx512_core_vnni: return "AVX-512 with VNNI";
    case dnnl::cpu_isa::avx512_core_bf16: return "AVX-512 with bf16";
    case dnnl::cpu_isa::avx512_core_amx: return "AVX-512 with AMX";
    default: return "instruction set unknown";
  }
}

dnnl::matmul::primitive_desc describe(const dnnl::matmul::desc& desc, bool relu) {
  dnnl::post_ops after;
  if (relu) after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  return {desc, attributes, engine()};
}

Contestant contestant(const MatmulProblem<float>& p, bool packed) {
  const auto a = matrix(p.m, p.k, p.transpose_a);
  const auto b = matrix(p.k, p.n, p.transpose_b);
  const auto c = dnnl::memory(matrix(p.m, p.n), engine());
  set_threads(p.threads);  // what is made now may depend on it
  const auto product = std::make_shared<Matmul>(a, packed ? matrix_in_any_layout(p.k, p.n) : b, c.get_desc());
  const auto given = borrow(b, p.b.data());
  product->bind(borrow(a, p.a.data()), packed ? reordered(given, product->b_desc()) : given, c);
  return {.name = packed ? "oneDNN, b packed" : "oneDNN",
          .run = [product] { product->run(); },
          .result =
              [c, size = p.m * p.n] {
                const auto* const numbers = static_cast<const float*>(c.get_data_handle());
                return std::vector<double>(numbers, numbers + size);
              },
          .prepare = [threads = p.threads] { set_threads(threads); }};
}

}  // namespace

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  static dnnl::stream in_order(engine());
  return in_order;
}

void set_threads(int threads) {
  omp_set_num_threads(threads);
}

dnnl::memory::desc matrix(std::int64_t rows, std::int64_t columns, bool transposed) {
  return {{rows, columns}, Type::f32, transposed ? Tag::ba : Tag::ab};
}

dnnl::memory::desc matrix_in_any_layout(std::int64_t rows, std::int64_t columns) {
  return {{rows, columns}, Type::f32, Tag::any};
}

dnnl::memory borrow(const dnnl::memory::desc& desc, const float* data) {
  return {desc, engine(), const_cast<float*>(data)};
}

dnnl::memory reordered(const dnnl::memory& from, const dnnl::memory::desc& to) {
  dnnl::memory copy(to, engine());
  dnnl::reorder(from, copy).execute(stream(), const_cast<dnnl::memory&>(from), copy);
  stream().wait();
  return copy;
}

Matmul::Matmul(const dnnl::memory::desc& a, const dnnl::memory::desc& b, const dnnl::memory::desc& c)
    : desc_(describe({a, b, c}, false)), primitive_(desc_) {}

Matmul::Matmul(const dnnl::memory::desc& a, const dnnl::memory::desc& b, std::int64_t bias, const dnnl::memory::desc& c,
               bool relu)
    : desc_(describe({a, b, matrix(1, bias), c}, relu)), primitive_(desc_) {}

void Matmul::bind(const dnnl::memory& a, const dnnl::memory& b, const dnnl::memory& c) {
  arguments_[DNNL_ARG_SRC] = a;
  arguments_[DNNL_ARG_WEIGHTS] = b;
  arguments_[DNNL_ARG_DST] = c;
}

std::optional<std::string> description() {
  const auto* const version = dnnl::version();
  return fmt::format("{}.{}.{}, {}{}", version->major, version->minor, version->patch, instruction_set(),
                     openmp_environment());
}

std::vector<Contestant> matmul(const MatmulProblem<float>& problem) {
  return {contestant(problem, false), contestant(problem, true)};
}

}  // namespace lathe::bench::onednn
