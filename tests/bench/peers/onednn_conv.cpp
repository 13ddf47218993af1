#include <memory>

#include "onednn.h"
#include "onednn_matmul.h"

namespace lathe::bench::onednn {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;
using Forward = dnnl::convolution_forward;
using InputGradient = dnnl::convolution_backward_data;
using FilterGradient = dnnl::convolution_backward_weights;

/// Images are row-major [N, H, W, C]; filters may lie as the primitive likes.
struct Layouts {
  dnnl::memory::desc x;
  dnnl::memory::desc filter;
  dnnl::memory::desc any_filter;
  dnnl::memory::desc y;
  dnnl::memory::dims strides{1, 1};
  dnnl::memory::dims padding;

  explicit Layouts(const ConvolutionProblem& p)
      : x({p.batch, p.channels, p.size, p.size}, Type::f32, Tag::nhwc),
        filter({p.filters, p.channels, p.window, p.window}, Type::f32, Tag::hwio),
        any_filter({p.filters, p.channels, p.window, p.window}, Type::f32, Tag::any),
        y({p.batch, p.filters, p.size, p.size}, Type::f32, Tag::nhwc),
        padding{p.window / 2, p.window / 2} {}

  Forward::primitive_desc forward() const {
    return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, x, any_filter, y, strides, padding,
             padding},
            engine()};
  }
};

std::vector<double> numbers(const dnnl::memory& memory, std::int64_t count) {
  const auto* const first = static_cast<const float*>(memory.get_data_handle());
  return {first, first + count};
}

/// Keeps a primitive and what it works on.
template <class Primitive>
Contestant contestant(Primitive primitive, std::unordered_map<int, dnnl::memory> arguments,
                      std::function<std::vector<double>()> result, int threads) {
  return {.name = "oneDNN",
          .run =
              [primitive, arguments] {
                primitive.execute(stream(), arguments);
                stream().wait();
              },
          .result = std::move(result),
          .prepare = [threads] { set_threads(threads); }};
}

}  // namespace

std::vector<Contestant> convolution(const ConvolutionProblem& p) {
  set_threads(p.threads);
  const Layouts layouts(p);
  const auto desc = layouts.forward();
  const dnnl::memory filter = reordered(borrow(layouts.filter, p.filter.data()), desc.weights_desc());
  const dnnl::memory y(layouts.y, engine());
  return {contestant(
      Forward(desc), {{DNNL_ARG_SRC, borrow(layouts.x, p.x.data())}, {DNNL_ARG_WEIGHTS, filter}, {DNNL_ARG_DST, y}},
      [y, count = p.batch * p.size * p.size * p.filters] { return numbers(y, count); }, p.threads)};
}

std::vector<Contestant> convolution_input_gradient(const ConvolutionProblem& p) {
  set_threads(p.threads);
  const Layouts layouts(p);
  const InputGradient::primitive_desc desc({dnnl::algorithm::convolution_direct, layouts.x, layouts.any_filter,
                                            layouts.y, layouts.strides, layouts.padding, layouts.padding},
                                           engine(), layouts.forward());
  const dnnl::memory filter = reordered(borrow(layouts.filter, p.filter.data()), desc.weights_desc());
  const dnnl::memory dx(layouts.x, engine());
  return {contestant(
      InputGradient(desc),
      {{DNNL_ARG_DIFF_DST, borrow(layouts.y, p.dy.data())}, {DNNL_ARG_WEIGHTS, filter}, {DNNL_ARG_DIFF_SRC, dx}},
      [dx, count = p.batch * p.size * p.size * p.channels] { return numbers(dx, count); }, p.threads)};
}

std::vector<Contestant> convolution_filter_gradient(const ConvolutionProblem& p) {
  set_threads(p.threads);
  const Layouts layouts(p);
  const FilterGradient::primitive_desc desc({dnnl::algorithm::convolution_direct, layouts.x, layouts.any_filter,
                                             layouts.y, layouts.strides, layouts.padding, layouts.padding},
                                            engine(), layouts.forward());
  const dnnl::memory dfilter(desc.diff_weights_desc(), engine());
  const auto result = [dfilter, plain = layouts.filter, count = p.window * p.window * p.channels * p.filters] {
    return numbers(reordered(dfilter, plain), count);
  };
  return {contestant(FilterGradient(desc),
                     {{DNNL_ARG_SRC, borrow(layouts.x, p.x.data())},
                      {DNNL_ARG_DIFF_DST, borrow(layouts.y, p.dy.data())},
                      {DNNL_ARG_DIFF_WEIGHTS, dfilter}},
                     result, p.threads)};
}

}  // namespace lathe::bench::onednn
