#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lathe::test {

/// A classifier of two dense layers (ReLU between them) trained on softmax cross-entropy by Adam in Keras's form: plain
/// loops in double precision that share nothing with Lathe, to compare trainings with.
class MlpReference {
 public:
  MlpReference(std::size_t inputs, std::size_t hidden, std::size_t classes);

  /// Row-major [inputs, hidden], [hidden], [hidden, classes], [classes].
  std::vector<double> kernel_1, bias_1, kernel_2, bias_2;

  /// One step on a batch of images (u8, scaled to [0, 1]); returns the mean loss before the update.
  double step(std::span<const std::uint8_t> images, std::span<const std::uint8_t> labels);

 private:
  struct Moments {
    std::vector<double> m, v;
  };
  void update(std::vector<double>& weights, const std::vector<double>& gradient, Moments& moments) const;

  std::size_t inputs_, hidden_, classes_;
  Moments moments_[4];
  int steps_ = 0;
};

}  // namespace lathe::test
