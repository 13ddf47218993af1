#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <ranges>
#include <string>
#include <vector>

#include <lathe/lathe.h>

namespace lathe::test {

/// Seeds of `count` graphs, a third of them under the address sanitizer, where each takes many times as long.
/// LATHE_FUZZ_SEED is the first one's, for others than ever.
std::ranges::iota_view<unsigned, unsigned> random_graph_seeds(unsigned count);

/// Ops drawn at random, of all kinds, one taking in what others made: the same seed draws the same ones. Some of what
/// they make are outputs; so may be gradients, and new values of the variables.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed);
  /// The same ops, but computed at once: outputs are arrays of `context`. Sizes are known, and nothing is random or
  /// assigned, here and in RandomGraph::without_symbols.
  RandomGraph(unsigned seed, eager::Context& context);
  static RandomGraph without_symbols(unsigned seed);

  Values inputs;
  Values outputs;
  std::vector<Tensor> feeds;
  std::vector<Tensor> other_feeds;  // of another size where that is a symbol

  Graph& graph() { return *graph_; }
  /// The steps taken, to tell what a failure is about.
  const std::string& steps() const { return steps_; }

 private:
  /// What an op makes of a value; nothing if it does not apply.
  using Step = std::function<std::optional<Value>(const Value&)>;
  struct NamedStep {
    const char* name;
    Step make;
  };

  RandomGraph(unsigned seed, eager::Context* context, bool with_symbols);

  int below(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  bool chance(int one_in) { return below(one_in) == 0; }
  Value any() { return values_[static_cast<std::size_t>(below(static_cast<int>(values_.size())))]; }
  std::optional<std::int64_t> axis_of(const Value& x);
  std::int64_t size();
  Tensor filled(DType dtype, const Extents& extents);
  Value known(DType dtype, const Extents& extents);
  Value weights(DType dtype, const Extents& extents);
  void add_input();
  void add_outputs();
  void add_gradients();

  std::vector<NamedStep> all_steps();
  void add_elementwise(std::vector<NamedStep>& steps);
  void add_binary(std::vector<NamedStep>& steps);
  void add_moves(std::vector<NamedStep>& steps);
  void add_reductions(std::vector<NamedStep>& steps);
  void add_contractions(std::vector<NamedStep>& steps);
  void add_indices(std::vector<NamedStep>& steps);
  void add_random(std::vector<NamedStep>& steps);

  std::optional<Value> reduced(const Value& x);
  std::optional<Value> permuted(const Value& x);
  std::optional<Value> split(const Value& x);
  std::optional<Value> joined(const Value& x);
  std::optional<Value> sliced(const Value& x);
  std::optional<Value> padded(const Value& x);
  std::optional<Value> concatenated(const Value& x);
  std::optional<Value> multiplied(const Value& x);
  std::optional<Value> pooled(const Value& x);
  std::optional<Value> convolved(const Value& x);
  std::optional<Value> gathered(const Value& x);
  std::optional<Value> scattered(const Value& x);

  std::mt19937 random_;
  std::unique_ptr<Graph> own_graph_;
  Graph* graph_;
  eager::Context* context_;
  std::unique_ptr<eager::GradientTape> tape_;
  bool with_symbols_;
  std::int64_t other_size_;
  Values values_;
  Values weights_;
  std::vector<Variable> variables_;  // of weights_, in a graph
  std::string steps_;
};

}  // namespace lathe::test
