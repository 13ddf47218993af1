#pragma once

#include <compare>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <lathe/runtime/options.h>
#include <lathe/runtime/plan.h>
#include <lathe/runtime/thread_pool.h>
#include <lathe/runtime/value_ref.h>
#include <lathe/runtime/variable_store.h>

namespace lathe {

/// The memory of one caller of a compiled plan. Grows to what its runs need, and then stays.
struct Frame {
  Frame(const Plan& plan, VariableStore& store, bool profile);
  /// New, empty outputs, for when the old ones have been given away.
  void renew_outputs(const ProgramInterface& interface);

  std::vector<TensorView> views;        // one a feed of the plan, of the first step: to be set before a run
  std::vector<std::size_t> step_bytes;  // how far each view moves from step to step
  std::vector<Tensor> outputs;          // what the run computed: the graph's outputs

  // By slot of the program.
  std::vector<const void*> input_data;
  std::vector<void*> output_data;
  std::vector<VariableStore::Variable*> variables;
  std::vector<void*> variable_data;
  std::vector<std::size_t> output_step_bytes;
  std::vector<std::int64_t> symbols;
  std::vector<std::int64_t> ticks;  // empty unless profiled

  /// What all sizes of a run follow from: of the latest one that was prepared, or empty, and of the one at hand.
  std::vector<std::int64_t> known_sizes;
  std::vector<std::int64_t> sizes;
  Bindings fed;    // the symbols of the feeds
  Bindings bound;  // the symbols of the program
  Extents extents;
  std::int64_t seed = 0;
};

/// What a session and its callables share. Members are guarded by `mutex`.
class SessionState {
 public:
  SessionState(Graph& graph, SessionOptions options);

  /// What identifies a plan. Extents are no part of it.
  struct Signature {
    bool initialize = false;
    std::vector<ValueId> fetches;
    std::vector<ValueId> feeds;  // sorted
    auto operator<=>(const Signature&) const = default;
  };
  struct Entry {
    std::shared_ptr<Plan> plan;
    std::unique_ptr<Frame> frame;  // of Session::run; once compiled
  };

  /// The entry of `signature`, made now if there was none; not necessarily compiled.
  Entry& find(const Signature& signature);
  struct Request {
    Entry& entry;
    std::vector<TensorView> views;  // one a feed of the plan
  };
  /// The entry of a run of `fetches`, with what its feeds are given.
  Request find(const ValueRefs& fetches, const std::vector<Feed>& feeds);
  struct Ordered {
    Signature signature;
    std::vector<std::size_t> order;  // the places of its feeds among the caller's
  };
  Ordered signature(const ValueRefs& fetches, const ValueRefs& feeds) const;
  void compile(Plan& plan);
  /// Runs a compiled plan on the frame's views, with `fixed_seed` or else the next seed of the sequence.
  void execute(Plan& plan, Frame& frame, std::optional<std::uint64_t> fixed_seed = std::nullopt);
  /// What the next run draws random numbers from.
  std::int64_t next_seed() const;
  /// Runs it `steps` times; outputs have a leading axis of steps.
  void execute_steps(Plan& plan, Frame& frame, std::int64_t steps);

  Graph& graph;
  SessionOptions options;
  ThreadPool pool;
  mutable std::mutex mutex;
  VariableStore variables;
  std::vector<std::shared_ptr<const Plan>> compiled;  // in order
  std::uint64_t seed;
  std::uint64_t seeded_runs = 0;

 private:
  void check_variables(const Plan& plan, const Frame& frame) const;
  void bind_symbols(const Plan& plan, Frame& frame) const;
  void prepare(Plan& plan, Frame& frame, std::optional<std::int64_t> steps);
  void give_sizes(Plan& plan, Frame& frame, std::optional<std::int64_t> steps);
  void point(const Plan& plan, Frame& frame) const;
  void step(Plan& plan, Frame& frame, std::optional<std::uint64_t> fixed_seed);
  void find_failure(const Plan& plan, const Frame& frame);
  void point_to_variables(const Plan& plan, Frame& frame) const;

  std::map<Signature, Entry> entries_;
  Tensor arena_{DType::u8, {0}};
};

}  // namespace lathe
