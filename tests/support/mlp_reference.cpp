#include "mlp_reference.h"

#include <algorithm>
#include <cmath>

namespace lathe::test {

MlpReference::MlpReference(std::size_t inputs, std::size_t hidden, std::size_t classes)
    : kernel_1(inputs * hidden),
      bias_1(hidden),
      kernel_2(hidden * classes),
      bias_2(classes),
      inputs_(inputs),
      hidden_(hidden),
      classes_(classes) {
  const std::vector<double>* weights[] = {&kernel_1, &bias_1, &kernel_2, &bias_2};
  for (std::size_t i = 0; i < 4; ++i) {
    moments_[i].m.resize(weights[i]->size());
    moments_[i].v.resize(weights[i]->size());
  }
}

double MlpReference::step(std::span<const std::uint8_t> images, std::span<const std::uint8_t> labels) {
  const std::size_t batch = labels.size();
  std::vector<double> d_kernel_1(kernel_1.size()), d_bias_1(bias_1.size());
  std::vector<double> d_kernel_2(kernel_2.size()), d_bias_2(bias_2.size());
  double loss = 0;
  for (std::size_t row = 0; row < batch; ++row) {
    std::vector<double> x(inputs_), h(bias_1), z(bias_2);
    for (std::size_t p = 0; p < inputs_; ++p) {
      x[p] = images[row * inputs_ + p] / 255.0;
      for (std::size_t j = 0; j < hidden_; ++j) h[j] += x[p] * kernel_1[p * hidden_ + j];
    }
    for (std::size_t j = 0; j < hidden_; ++j) {
      h[j] = std::max(h[j], 0.0);
      for (std::size_t c = 0; c < classes_; ++c) z[c] += h[j] * kernel_2[j * classes_ + c];
    }
    const double highest = *std::max_element(z.begin(), z.end());
    double total = 0;
    for (const double logit : z) total += std::exp(logit - highest);
    loss += std::log(total) + highest - z[labels[row]];
    std::vector<double> dh(hidden_);
    for (std::size_t c = 0; c < classes_; ++c) {
      const double target = c == labels[row] ? 1 : 0;
      const double dz = (std::exp(z[c] - highest) / total - target) / static_cast<double>(batch);
      d_bias_2[c] += dz;
      for (std::size_t j = 0; j < hidden_; ++j) {
        d_kernel_2[j * classes_ + c] += h[j] * dz;
        dh[j] += dz * kernel_2[j * classes_ + c];
      }
    }
    for (std::size_t j = 0; j < hidden_; ++j) {
      if (h[j] <= 0) continue;
      d_bias_1[j] += dh[j];
      for (std::size_t p = 0; p < inputs_; ++p) d_kernel_1[p * hidden_ + j] += x[p] * dh[j];
    }
  }
  ++steps_;
  update(kernel_1, d_kernel_1, moments_[0]);
  update(bias_1, d_bias_1, moments_[1]);
  update(kernel_2, d_kernel_2, moments_[2]);
  update(bias_2, d_bias_2, moments_[3]);
  return loss / static_cast<double>(batch);
}

void MlpReference::update(std::vector<double>& weights, const std::vector<double>& gradient, Moments& moments) const {
  constexpr double learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  const double alpha = learning_rate * std::sqrt(1 - std::pow(beta_2, steps_)) / (1 - std::pow(beta_1, steps_));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    moments.m[i] = beta_1 * moments.m[i] + (1 - beta_1) * gradient[i];
    moments.v[i] = beta_2 * moments.v[i] + (1 - beta_2) * gradient[i] * gradient[i];
    weights[i] -= alpha * moments.m[i] / (std::sqrt(moments.v[i]) + epsilon);
  }
}

}  // namespace lathe::test
