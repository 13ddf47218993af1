#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include <lathe/graph/graph.h>
#include <lathe/ops/nn/activation.h>
#include <lathe/ops/nn/initializers.h>
#include <lathe/ops/variable.h>
#include <lathe/ops/windows.h>

namespace lathe::nn {

struct ModelState;

/// A layer in a graph: its parameters, made once, and how it maps a value, which may be done any number of times.
struct BuiltLayer {
  std::vector<Variable> parameters = {};
  std::function<Value(Value x, bool training)> apply;
  /// Whether `apply` heeds `training`.
  bool differs_in_training = false;
};

/// One step of a Sequential model. Copies are the same layer: wherever it is used, its parameters are shared.
class Layer {
 public:
  /// Makes the parameters for inputs like `x`, whose graph they go to.
  using Build = std::function<BuiltLayer(Value x)>;

  /// `type` is what summaries print, such as "Dense".
  Layer(std::string type, Build build);
  /// A model as a layer.
  Layer(std::string type, Build build, std::shared_ptr<ModelState> model);

  const std::string& type() const;
  /// The model that this layer is; null for any other layer.
  const std::shared_ptr<ModelState>& model() const;
  /// The name it was built under; empty before.
  const std::string& name() const;

  /// Builds the layer in the scope `name`, the first time; later calls only check that the graph is the same. Throws
  /// GraphError for an input that the layer cannot take, or another graph.
  const BuiltLayer& build(const std::string& name, Value x) const;
  /// What build() made.
  const BuiltLayer& built() const;
  /// Applies the layer, built before, in its scope.
  Value apply(Value x, bool training) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// [batch, a, b, ..] to [batch, a * b * ..], of any dtype.
struct Flatten {
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

/// [batch, a, b, ..] to [batch, shape..], of any dtype: Reshape{{28, 28, 1}} gives pictures a channel.
struct Reshape {
  Shape shape;
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

/// activation(x kernel + bias).  x: floats [.., n] with n a number; the result is [.., units]. Parameters: kernel [n,
/// units] and bias [units].
struct Dense {
  std::int64_t units;
  Activation activation = {};
  bool use_bias = true;
  init::Initializer kernel_initializer = init::glorot_uniform;
  init::Initializer bias_initializer = init::zeros;
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

/// activation(conv2d(x, kernel) + bias): Conv2D{32, 3, relu}.  x: float images [batch, H, W, C] with C a number; the
/// result is [batch, OH, OW, filters]. Parameters: kernel [height, width, C / groups, filters] and bias [filters].
struct Conv2D {
  std::int64_t filters;
  Size2d kernel_size;
  Activation activation = {};
  Size2d strides = 1;
  Padding padding = Padding::valid;
  Size2d dilations = 1;
  std::int64_t groups = 1;
  bool use_bias = true;
  init::Initializer kernel_initializer = init::glorot_uniform;
  init::Initializer bias_initializer = init::zeros;
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

/// The largest element of each window of images [batch, H, W, C]: MaxPool2D{2} halves height and width. Windows lie
/// side by side unless strides are given.
struct MaxPool2D {
  Size2d window = 2;
  std::optional<Size2d> strides = std::nullopt;
  Padding padding = Padding::valid;
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

/// The mean of each window of images, as MaxPool2D otherwise.
struct AvgPool2D {
  Size2d window = 2;
  std::optional<Size2d> strides = std::nullopt;
  Padding padding = Padding::valid;
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

/// In training, zeroes each element with probability `rate` and divides the others by 1 - rate; otherwise does nothing.
struct Dropout {
  double rate;
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

/// An activation on its own: ActivationLayer{tanh}.
struct ActivationLayer {
  Activation activation;
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

/// Probabilities from logits along the last axis.
struct Softmax {
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

/// x * scale + offset as f32 (f64 stays f64), from any numbers: Rescaling{1.0 / 255} brings grey levels to [0, 1].
struct Rescaling {
  double scale;
  double offset = 0;
  std::source_location where = std::source_location::current();
  operator Layer() const;
};

}  // namespace lathe::nn
