#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <lathe/runtime/model/layer.h>
#include <lathe/runtime/model/sequential.h>
#include <lathe/runtime/session.h>

/// What is behind Sequential; only its own sources include this.
namespace lathe::nn {

/// A graph, its session and the names in it: what models that share parameters have in common.
struct Network {
  Graph graph;
  std::optional<Session> session;
  std::uint64_t seed = 0;

  /// "dense", "dense_1", ...: `type` in lower case, numbered within the network.
  std::string layer_name(std::string_view type);
  /// The session, made with `options` if there is none yet. Variables that are new get their initial values; others
  /// keep what they hold.
  Session& ready(const SessionOptions& options);

 private:
  std::unordered_map<std::string, int> uses_;
  std::size_t seen_nodes_ = 0;  // the nodes before have been looked through for initial values
};

/// What compile() was told, once labels of a type have been seen.
struct TrainingGraph {
  // A training step picks its rows from all examples by number; evaluation is fed a batch.
  Value all_examples;
  Value all_labels;
  Value rows;
  Value labels;
  std::vector<std::string> names;  // of the measured quantities: "loss" first
  Values in_training;
  Values in_inference;
  Value update;
  std::optional<Variable> learning_rate;  // if it is a number
  std::optional<Callable> step;
  std::optional<Callable> evaluate;
};

struct ModelState {
  struct Row {
    std::string name;
    std::string type;
    Shape output;
    std::int64_t parameters;
  };

  std::vector<Layer> layers;
  std::shared_ptr<Network> network;
  std::vector<Row> rows;  // one a built layer
  std::optional<Training> training;
  std::optional<TrainingGraph> training_graph;
  Value input;
  Value output;
  std::optional<Callable> predict;

  /// Builds the layers that are not built, the first on `x`, and returns the last one's output.
  Value build_layers(Value x);
  Value apply(Value x, bool training) const;
  bool differs_in_training() const;
  std::vector<Variable> parameters() const;

  /// Makes the model part of a network. Throws GraphError if its parameters are in another one.
  void join(const std::shared_ptr<Network>& other);
  /// Builds for inputs like `x` if the model is not built.
  void build_for(const TensorView& x);
  /// The graph that measures and trains with labels like `y`. Throws RunError without compile().
  TrainingGraph& training_for(const TensorView& y, std::string_view asked_by);
  Session& session() const;
};

}  // namespace lathe::nn
