#pragma once

#include <string>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

/// What oneDNN's contestants share.
namespace lathe::bench::onednn {

dnnl::engine& engine();
dnnl::stream& stream();
/// oneDNN runs on OpenMP's threads, and so do the loops beside it.
void set_threads(int threads);

/// A memory descriptor of an f32 matrix: row-major, or the transpose of a row-major one.
dnnl::memory::desc matrix(std::int64_t rows, std::int64_t columns, bool transposed = false);
/// The same in whatever layout the primitive likes.
dnnl::memory::desc matrix_in_any_layout(std::int64_t rows, std::int64_t columns);
/// Somebody else's data as oneDNN sees it.
dnnl::memory borrow(const dnnl::memory::desc& desc, const float* data);
/// A copy in another layout.
dnnl::memory reordered(const dnnl::memory& from, const dnnl::memory::desc& to);

/// c = a b, or relu(a b + bias) and parts of it.
class Matmul {
 public:
  /// b may be in any layout: the one chosen is then b_desc().
  Matmul(const dnnl::memory::desc& a, const dnnl::memory::desc& b, const dnnl::memory::desc& c);
  Matmul(const dnnl::memory::desc& a, const dnnl::memory::desc& b, std::int64_t bias, const dnnl::memory::desc& c,
         bool relu);

  dnnl::memory::desc b_desc() const { return desc_.weights_desc(); }
  void bind(const dnnl::memory& a, const dnnl::memory& b, const dnnl::memory& c);
  void bind_bias(const dnnl::memory& bias) { arguments_[DNNL_ARG_BIAS] = bias; }
  void run() const { primitive_.execute(stream(), arguments_); }

 private:
  dnnl::matmul::primitive_desc desc_;
  dnnl::matmul primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

}  // namespace lathe::bench::onednn
