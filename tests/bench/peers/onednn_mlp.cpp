#include <algorithm>
#include <cmath>
#include <memory>

#include "aligned.h"
#include "batch_order.h"
#include "loops.h"
#include "onednn.h"
#include "onednn_matmul.h"

namespace lathe::bench::onednn {
namespace {

constexpr std::int64_t pixels = Mlp::pixels;
constexpr std::int64_t hidden = Mlp::hidden;
constexpr std::int64_t classes = Mlp::classes;

enum class Layout { plain, packed };

std::string name_of(Layout layout) {
  return layout == Layout::plain ? "oneDNN" : "oneDNN, kernel packed";
}

/// Parameters, or their gradients or moments, one after the other, so that Adam is one loop over all.
struct Parameters {
  static constexpr std::int64_t count = pixels * hidden + hidden + hidden * classes + classes;
  AlignedVector<float> numbers = AlignedVector<float>(count);

  float* w1() { return numbers.data(); }
  float* b1() { return w1() + pixels * hidden; }
  float* w2() { return b1() + hidden; }
  float* b2() { return w2() + hidden * classes; }
};

Parameters parameters_of(const Mlp& mlp) {
  Parameters parameters;
  std::ranges::copy(mlp.w1, parameters.w1());
  std::ranges::copy(mlp.b1, parameters.b1());
  std::ranges::copy(mlp.w2, parameters.w2());
  std::ranges::copy(mlp.b2, parameters.b2());
  return parameters;
}

/// From pixels as floats to logits.
class Forward {
 public:
  Forward(const Mlp& mlp, std::int64_t batch, Layout layout)
      : parameters(parameters_of(mlp)),
        x(matrix(batch, pixels), engine()),
        h(matrix(batch, hidden), engine()),
        logits(matrix(batch, classes), engine()),
        w1(borrow(matrix(pixels, hidden), parameters.w1())),
        w2(borrow(matrix(hidden, classes), parameters.w2())),
        first_(x.get_desc(), layout == Layout::packed ? matrix_in_any_layout(pixels, hidden) : w1.get_desc(), hidden,
               h.get_desc(), true),
        second_(h.get_desc(), w2.get_desc(), classes, logits.get_desc(), false),
        packed_w1_(layout == Layout::packed ? reordered(w1, first_.b_desc()) : w1),
        pack_(w1, packed_w1_),
        layout_(layout) {
    first_.bind(x, packed_w1_, h);
    first_.bind_bias(borrow(matrix(1, hidden), parameters.b1()));
    second_.bind(h, w2, logits);
    second_.bind_bias(borrow(matrix(1, classes), parameters.b2()));
  }
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  void run() const {
    first_.run();
    second_.run();
  }
  /// To be called after the parameters have changed.
  void pack() {
    if (layout_ == Layout::packed) pack_.execute(stream(), w1, packed_w1_);
  }
  static float* data(const dnnl::memory& memory) { return static_cast<float*>(memory.get_data_handle()); }

  Parameters parameters;
  dnnl::memory x;
  dnnl::memory h;
  dnnl::memory logits;
  dnnl::memory w1;
  dnnl::memory w2;

 private:
  Matmul first_;
  Matmul second_;
  dnnl::memory packed_w1_;
  dnnl::reorder pack_;
  Layout layout_;
};

class Trainer {
 public:
  Trainer(const TrainingProblem& problem, Layout layout)
      : images_(problem.images),
        labels_(problem.labels),
        order_(static_cast<std::int64_t>(problem.labels.size()), problem.batch, problem.shuffle_seed),
        batch_(problem.batch),
        forward_(problem.initial, problem.batch, layout),
        dlogits_(matrix(batch_, classes), engine()),
        dh_(matrix(batch_, hidden), engine()),
        dw2_(matrix(hidden, batch_, true), matrix(batch_, classes), matrix(hidden, classes)),
        dh_product_(matrix(batch_, classes), matrix(classes, hidden, true), matrix(batch_, hidden)),
        dw1_(matrix(pixels, batch_, true), matrix(batch_, hidden), matrix(pixels, hidden)) {
    dw2_.bind(borrow(matrix(hidden, batch_, true), Forward::data(forward_.h)), dlogits_,
              borrow(matrix(hidden, classes), gradients_.w2()));
    dh_product_.bind(dlogits_, borrow(matrix(classes, hidden, true), forward_.parameters.w2()), dh_);
    dw1_.bind(borrow(matrix(pixels, batch_, true), Forward::data(forward_.x)), dh_,
              borrow(matrix(pixels, hidden), gradients_.w1()));
  }

  void step() {
    const auto examples = order_.next();
    loops::gather(images_, examples, Forward::data(forward_.x));
    forward_.run();
    loss_ = loops::softmax_cross_entropy(Forward::data(forward_.logits), labels_, examples, Forward::data(dlogits_),
                                         gradients_.b2());
    dw2_.run();
    dh_product_.run();
    loops::relu_backward(Forward::data(forward_.h), batch_, Forward::data(dh_), gradients_.b1());
    dw1_.run();
    ++updates_;
    const double alpha = 0.001 * std::sqrt(1 - std::pow(0.999, updates_)) / (1 - std::pow(0.9, updates_));
    loops::update(
        {.w = forward_.parameters.w1(), .m = m_.w1(), .v = v_.w1(), .g = gradients_.w1(), .count = Parameters::count},
        static_cast<float>(alpha));
    forward_.pack();
  }
  float loss() const { return loss_; }

 private:
  std::span<const std::uint8_t> images_;
  std::span<const std::uint8_t> labels_;
  BatchOrder order_;
  std::int64_t batch_;
  Forward forward_;
  Parameters gradients_;
  Parameters m_;
  Parameters v_;
  dnnl::memory dlogits_;
  dnnl::memory dh_;
  Matmul dw2_;
  Matmul dh_product_;
  Matmul dw1_;
  int updates_ = 0;
  float loss_ = 0;
};

}  // namespace

std::vector<Contestant> training_step(const TrainingProblem& problem) {
  set_threads(problem.threads);
  std::vector<Contestant> contestants;
  for (const Layout layout : {Layout::plain, Layout::packed}) {
    const auto trainer = std::make_shared<Trainer>(problem, layout);
    contestants.push_back({.name = name_of(layout),
                           .run = [trainer] { trainer->step(); },
                           .result = [trainer] { return std::vector<double>{trainer->loss()}; },
                           .prepare = [threads = problem.threads] { set_threads(threads); }});
  }
  return contestants;
}

std::vector<Contestant> inference(const InferenceProblem& problem) {
  set_threads(problem.threads);
  std::vector<Contestant> contestants;
  for (const Layout layout : {Layout::plain, Layout::packed}) {
    const auto forward = std::make_shared<Forward>(problem.model, problem.batch, layout);
    const auto probabilities = std::make_shared<AlignedVector<float>>(problem.batch * classes);
    contestants.push_back({.name = name_of(layout),
                           .run =
                               [=, images = problem.images, batch = problem.batch] {
                                 loops::scale(images, Forward::data(forward->x));
                                 forward->run();
                                 loops::softmax(Forward::data(forward->logits), batch, probabilities->data());
                               },
                           .result = [=] { return std::vector<double>(probabilities->begin(), probabilities->end()); },
                           .prepare = [threads = problem.threads] { set_threads(threads); }});
  }
  return contestants;
}

}  // namespace lathe::bench::onednn
