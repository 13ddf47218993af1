#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lathe/ops/optim/optimizers.h>
#include <lathe/runtime/model/callback.h>
#include <lathe/runtime/model/history.h>
#include <lathe/runtime/model/layer.h>
#include <lathe/runtime/model/metric.h>
#include <lathe/runtime/model/progress.h>
#include <lathe/runtime/session.h>

namespace lathe::nn {

/// How to train a model and what to report.
struct Training {
  optim::Optimizer optimizer = optim::adam();
  Loss loss = {};
  std::vector<Metric> metrics = {};
  /// For the session that is made when the model first computes something; its seed is behind initial weights, dropout
  /// and the order of examples.
  SessionOptions session = {};
};

/// Examples to look at beside those trained on. Borrowed.
struct Examples {
  TensorView x;
  TensorView y;
};

struct FitOptions {
  std::int64_t epochs = 1;
  std::int64_t batch_size = 32;
  /// Train on the first examples only.
  std::optional<std::int64_t> limit = std::nullopt;
  /// Evaluated after every epoch and reported as "val_loss" and so on.
  std::optional<Examples> validation = std::nullopt;
  /// A new order in every epoch, which depends on the session's seed and the epoch's number.
  bool shuffle = true;
  /// The number of the first epoch, to go on where an earlier fit ended: `epochs` is where to stop.
  std::int64_t first_epoch = 0;
  std::vector<Callback> callbacks = {};
  Verbosity verbosity = Verbosity::automatic;
};

struct EvaluateOptions {
  std::int64_t batch_size = 256;
  Verbosity verbosity = Verbosity::silent;
};

/// Layers, one after the other, in the manner of Keras:
///
///   Sequential model{Rescaling{1.0 / 255}, Flatten{}, Dense{128, relu}, Dense{10}};
///   model.compile({.optimizer = optim::adam(), .loss = sparse_softmax_cross_entropy, .metrics = {accuracy()}});
///   model.fit(images, labels, {.epochs = 10});
///   Sequential classifier{model, Softmax{}};
///   Tensor probabilities = classifier.predict(test_images);
///
/// A model is a handle: copies are the same model. A model that is a layer of another shares its parameters, graph and
/// session with it, so training one trains both. All tensors have examples along their first axis; batches of any size
/// run in one compiled program.
class Sequential {
 public:
  Sequential(std::initializer_list<Layer> layers);
  explicit Sequential(std::vector<Layer> layers);
  /// The model as a layer of another one.
  operator Layer() const;

  /// Makes the parameters for inputs of a type whose first axis is the batch: build({u8, {None, 28, 28}}). Happens by
  /// itself when the model first sees data. Throws GraphError naming the layer that cannot take what reaches it.
  void build(const TensorType& input);
  bool is_built() const;

  /// Says how to train; to be called before fit and evaluate. Calling it again starts a new optimizer, without the old
  /// one's state, and leaves the weights as they are; the session stays the one that there is.
  void compile(Training training);

  /// Trains, and reports the means over each epoch's examples of the loss and the metrics, as they were while training.
  /// Loss, metrics and update are one compiled program, which allocates nothing from step to step; a last batch that
  /// is smaller than the others takes part. Throws DataError if x and y differ in their first extent, RunError if the
  /// model is not compiled.
  History fit(TensorView x, TensorView y, const FitOptions& options = {});
  /// The means of the loss and the metrics over all examples.
  Measurements evaluate(TensorView x, TensorView y, const EvaluateOptions& options = {});
  /// The outputs for all examples.
  Tensor predict(TensorView x, std::int64_t batch_size = 256);

  /// A table of layers, output shapes and parameter counts. Throws RunError before the model is built.
  std::string summary() const;

  /// All parameters, layer by layer.
  std::vector<Tensor> weights() const;
  /// Throws RunError if number, dtypes or shapes are not those of weights().
  void set_weights(std::span<const Tensor> weights);

  /// The rate that the optimizer will use next. Throws RunError if it is not a number but a schedule or a value.
  double learning_rate() const;
  void set_learning_rate(double rate);

  /// The graph and the session behind the model.
  Graph& graph() const;
  Session& session() const;
  /// The predictions, as a value of graph(). Throws RunError before the model is built.
  Value output() const;
  /// The training step's program and its statistics. Throws RunError before the first fit.
  const Callable& training_step() const;

 private:
  std::shared_ptr<ModelState> state_;
};

}  // namespace lathe::nn
