#pragma once

#include <string>
#include <vector>

#include <lathe/ops/optim/optimizer.h>

/// Optimizers, in Keras's forms and with its defaults; g is a variable's gradient, w the variable, t the number of the
/// update (1 at the first), and slots start at 0 unless said otherwise.
namespace lathe::optim {

struct SgdOptions {
  LearningRate learning_rate = 0.01;
  double momentum = 0;  // 0 keeps no slot
  bool nesterov = false;
  std::string name = "sgd";
};
/// w -= lr g; with momentum: v = momentum v - lr g, then w += v, or with `nesterov`: w += momentum v - lr g.
/// Slot: momentum.  Sutskever et al., ICML 2013.
Optimizer sgd(SgdOptions options = {});

struct AdamOptions {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  std::string name = "adam";
};
/// m += (g - m) (1 - beta_1);  v += (g^2 - v) (1 - beta_2);
/// w -= alpha m / (sqrt(v) + epsilon)  with  alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t).
/// As in Keras and TensorFlow, epsilon stands beside the uncorrected sqrt(v): the "epsilon hat" of the paper. PyTorch
/// adds it to the corrected one, which is ours with epsilon sqrt(1 - beta_2^t) in place of epsilon (and 1e-8 by
/// default). Slots: m, v.  Kingma & Ba, ICLR 2015, end of section 2.
Optimizer adam(AdamOptions options = {});

struct AdamWOptions {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  double weight_decay = 0.004;
  std::vector<std::string> exclude = {};  // variables whose names contain one of these do not decay: {"bias"}
  std::string name = "adamw";
};
/// w -= lr weight_decay w, then Adam's update.  Loshchilov & Hutter, ICLR 2019.
Optimizer adamw(AdamWOptions options = {});

struct RmsPropOptions {
  LearningRate learning_rate = 0.001;
  double rho = 0.9;
  double momentum = 0;  // 0 keeps no slot
  double epsilon = 1e-7;
  bool centered = false;  // divide by the variance instead of the mean square
  std::string name = "rmsprop";
};
/// v = rho v + (1 - rho) g^2;  d = lr g / sqrt(v + epsilon), or if `centered`, with a = rho a + (1 - rho) g:
/// d = lr g / sqrt(v - a^2 + epsilon);  w -= d, or with momentum: p = momentum p + d, w -= p.
/// Slots: velocity, average (a), momentum (p).  Tieleman & Hinton, 2012; Graves, arXiv:1308.0850.
Optimizer rmsprop(RmsPropOptions options = {});

struct AdagradOptions {
  LearningRate learning_rate = 0.001;
  double initial_accumulator = 0.1;
  double epsilon = 1e-7;
  std::string name = "adagrad";
};
/// a += g^2;  w -= lr g / sqrt(a + epsilon), a starting at `initial_accumulator`.
/// Slot: accumulator.  Duchi, Hazan & Singer, JMLR 12, 2011.
Optimizer adagrad(AdagradOptions options = {});

}  // namespace lathe::optim
