#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <lathe/runtime/debug/stepwise.h>
#include <lathe/runtime/plan.h>

namespace lathe {
class SessionState;
}

namespace lathe::debug {

/// One run of a plan, node by node: evaluates its optimised graph on what is fed and what the session's variables hold.
/// Changes nothing before commit(). Needs the session's lock.
class Walk {
 public:
  /// `feeds`: one a feed of the plan; borrowed. Throws RunError for what keeps a run from starting.
  Walk(SessionState& state, const Plan& plan, std::span<const TensorView> feeds, std::int64_t seed);

  /// Evaluates node after node and shows each value; false if the observer stopped it. Throws RunError if a check fails
  /// or, with SessionOptions::assert_all_finite, a value is not finite.
  bool run(const Observer& observer);

  // After a complete run:
  /// One tensor a fetch.
  std::vector<Tensor> fetched() const;
  /// Makes the assignments, and the run one that has drawn random numbers if it did.
  void commit();

 private:
  std::vector<Tensor> source(const Node& node) const;
  std::vector<Tensor> evaluate(NodeId id) const;
  const Tensor& tensor(ValueId value) const;

  SessionState& state_;
  const Plan& plan_;
  std::span<const TensorView> feeds_;
  std::int64_t seed_;
  Bindings bindings_;
  Graph graph_;                              // optimised
  std::vector<std::vector<Tensor>> values_;  // by node, by output
  bool draws_ = false;
};

}  // namespace lathe::debug
