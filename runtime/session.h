#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <lathe/codegen/explain.h>
#include <lathe/graph/graph.h>
#include <lathe/runtime/options.h>
#include <lathe/runtime/statistics.h>
#include <lathe/runtime/value_ref.h>

namespace lathe {

class Callable;
class Session;
class SessionState;

namespace debug {
struct NodeValue;
using Observer = std::function<bool(const NodeValue&)>;
std::vector<Tensor> run_stepwise(Session& session, const ValueRefs& fetches, const std::vector<Feed>& feeds,
                                 const Observer& observer);
}  // namespace debug

/// Runs a graph: compiles what is asked for, keeps the variables, owns the threads.
///
///   Session session(graph);
///   session.initialize(1);
///   for (const Batch& batch : batches) {
///     session.run({loss, train}, {{images, batch.images}, {labels, batch.labels}});
///   }
///   Tensor probabilities = session.run(softmax(logits), {{images, test_images}});
///
/// What is fetched is computed, with the assignments and effects that it depends on and nothing else. Any value may be
/// fetched, and any value may be fed: it is then taken as given. Within one run every read of a variable sees the value
/// from before the run; all assignments take effect together at its end. A run that throws leaves every variable as it
/// was.
///
/// A program is compiled once for each list of fetches and set of feeds, whatever the sizes that symbols stand for. The
/// graph may grow between runs. Runs from several threads are safe and take turns; no thread may change the graph
/// meanwhile.
class Session {
 public:
  /// `graph` must outlive the session. Throws RunError if the options make no sense.
  explicit Session(Graph& graph, SessionOptions options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Gives every variable that has an initial value that value, with `seed` behind its random numbers; an initial value
  /// that reads another variable sees that one's initial value. Later runs draw from `seed` too, counted from this
  /// call: a session initialised again repeats itself bit for bit.
  void initialize(std::uint64_t seed);
  /// The same with the options' seed.
  void initialize();

  /// The fetched values, in their order. Feeds are borrowed, not copied. Throws RunError naming node and source line if
  /// a feed does not fit, a placeholder or variable that is needed has no value, or a check in the graph fails.
  std::vector<Tensor> run(const ValueRefs& fetches, const std::vector<Feed>& feeds = {});
  /// One fetched value.
  template <std::convertible_to<ValueRef> T>
  Tensor run(const T& fetch, const std::vector<Feed>& feeds = {}) {
    return std::move(run(ValueRefs{ValueRef(fetch)}, feeds).front());
  }

  /// Compiles `fetches` given `feeds` and returns what runs them without a further look-up or allocation.
  Callable prepare(const ValueRefs& fetches, const ValueRefs& feeds = {});

  /// A copy of what a variable holds; throws RunError if it has no value yet.
  Tensor variable(const ValueRef& variable) const;
  /// Throws RunError if dtype or shape are not the variable's.
  void set_variable(const ValueRef& variable, const TensorView& tensor);
  /// Of all variables in the graph, sorted.
  std::vector<std::string> variable_names() const;
  /// A hash of all variables' bytes in the order of their names: equal after equal training.
  std::uint64_t weights_hash() const;

  /// How many programs have been compiled, or are interpreted; those found in the cache are not.
  std::size_t compilations() const;
  /// One entry a program, found in the cache or not, in the order in which they were asked for.
  std::vector<ProgramStatistics> statistics() const;
  /// The threads that kernels run on.
  int threads() const;

 private:
  friend std::vector<Tensor> debug::run_stepwise(Session& session, const ValueRefs& fetches,
                                                 const std::vector<Feed>& feeds, const debug::Observer& observer);
  std::shared_ptr<SessionState> state_;
};

/// A prepared run. Allocates nothing once it has met the largest of its inputs. Belongs to one thread at a time.
class Callable {
 public:
  ~Callable();
  Callable(Callable&&) noexcept;
  Callable& operator=(Callable&&) noexcept;

  /// Runs with one tensor a feed, in the order given to prepare(). The results belong to the callable and are valid
  /// until the next call; they must not be fed back to it. Throws as Session::run does.
  std::span<const Tensor> operator()(std::span<const TensorView> feeds);
  std::span<const Tensor> operator()(std::initializer_list<TensorView> feeds) {
    return (*this)(std::span<const TensorView>(feeds.begin(), feeds.size()));
  }

  /// Runs `steps` times in a row, with no work for the host in between. A feed with one axis more than what it is fed
  /// to holds one tensor a step, [steps, ...]; any other serves every step. Each result is [steps, ...] too.
  /// Assignments take effect after each step; a step that throws leaves what the steps before it did.
  std::span<const Tensor> run_steps(std::int64_t steps, std::span<const TensorView> feeds);
  std::span<const Tensor> run_steps(std::int64_t steps, std::initializer_list<TensorView> feeds) {
    return run_steps(steps, std::span<const TensorView>(feeds.begin(), feeds.size()));
  }

  ProgramStatistics statistics() const;
  /// Why the program looks as it does and what it costs, at the sizes of the last run; with measured times if the
  /// session profiles. Throws RunError before the first run.
  Explanation explain() const;
  /// The compiled program, for its listing: to_string(callable.program()).
  const Program& program() const;

 private:
  friend class Session;
  void check_count(std::size_t feeds) const;

  struct Parts;
  explicit Callable(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace lathe
