#include <lathe/runtime/session.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <lathe/runtime/session_state.h>

namespace lathe {

Session::Session(Graph& graph, SessionOptions options)
    : state_(std::make_shared<SessionState>(graph, std::move(options))) {}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::initialize() {
  initialize(state_->options.seed);
}

void Session::initialize(std::uint64_t seed) {
  const std::scoped_lock lock(state_->mutex);
  SessionState::Entry& entry = state_->find({true, initializers(state_->graph), {}});
  state_->compile(*entry.plan);
  if (!entry.frame) entry.frame = std::make_unique<Frame>(*entry.plan, state_->variables, state_->options.profile);
  state_->execute(*entry.plan, *entry.frame, seed);
  state_->seed = seed;
  state_->seeded_runs = 0;
}

std::vector<Tensor> Session::run(const ValueRefs& fetches, const std::vector<Feed>& feeds) {
  const std::scoped_lock lock(state_->mutex);
  auto [entry, views] = state_->find(fetches, feeds);
  if (!entry.frame) {
    // What is wrong with the feeds is better known before compiling than after.
    Bindings bindings;
    entry.plan->bind(views, bindings);
    state_->compile(*entry.plan);
    entry.frame = std::make_unique<Frame>(*entry.plan, state_->variables, state_->options.profile);
  }
  entry.frame->views = std::move(views);
  state_->execute(*entry.plan, *entry.frame);
  std::vector<Tensor> results = std::move(entry.frame->outputs);
  entry.frame->renew_outputs(entry.plan->executable().interface());
  return results;
}

struct Callable::Parts {
  std::shared_ptr<SessionState> state;
  std::shared_ptr<Plan> plan;
  Frame frame;
  std::vector<std::size_t> order;  // the places of the plan's feeds among the caller's
};

Callable Session::prepare(const ValueRefs& fetches, const ValueRefs& feeds) {
  const std::scoped_lock lock(state_->mutex);
  auto [signature, order] = state_->signature(fetches, feeds);
  const std::shared_ptr<Plan> plan = state_->find(signature).plan;
  state_->compile(*plan);
  return Callable(std::make_unique<Callable::Parts>(
      Callable::Parts{state_, plan, Frame(*plan, state_->variables, state_->options.profile), std::move(order)}));
}

Tensor Session::variable(const ValueRef& variable) const {
  const std::scoped_lock lock(state_->mutex);
  return state_->variables.read(state_->variables.find(variable));
}

void Session::set_variable(const ValueRef& variable, const TensorView& tensor) {
  const std::scoped_lock lock(state_->mutex);
  state_->variables.write(state_->variables.find(variable), tensor);
}

std::vector<std::string> Session::variable_names() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->variables.names();
}

std::uint64_t Session::weights_hash() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->variables.hash();
}

std::size_t Session::compilations() const {
  const std::scoped_lock lock(state_->mutex);
  return static_cast<std::size_t>(std::count_if(state_->compiled.begin(), state_->compiled.end(),
                                                [](const auto& plan) { return !plan->statistics.cache.hit; }));
}

std::vector<ProgramStatistics> Session::statistics() const {
  const std::scoped_lock lock(state_->mutex);
  std::vector<ProgramStatistics> all;
  for (const auto& plan : state_->compiled) all.push_back(plan->statistics);
  return all;
}

int Session::threads() const {
  return state_->pool.threads();
}

Callable::Callable(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Callable::~Callable() = default;
Callable::Callable(Callable&&) noexcept = default;
Callable& Callable::operator=(Callable&&) noexcept = default;

void Callable::check_count(std::size_t feeds) const {
  const std::size_t taken = parts_->order.size();
  if (feeds == taken) return;
  throw RunError(fmt::format("the callable takes {} feed{}, {} given", taken, taken == 1 ? "" : "s", feeds));
}

std::span<const Tensor> Callable::operator()(std::span<const TensorView> feeds) {
  Frame& frame = parts_->frame;
  check_count(feeds.size());
  const std::scoped_lock lock(parts_->state->mutex);
  for (std::size_t i = 0; i < feeds.size(); ++i) frame.views[i] = feeds[parts_->order[i]];
  parts_->state->execute(*parts_->plan, frame);
  return frame.outputs;
}

std::span<const Tensor> Callable::run_steps(std::int64_t steps, std::span<const TensorView> feeds) {
  Frame& frame = parts_->frame;
  check_count(feeds.size());
  if (steps < 0) throw RunError(fmt::format("{} is not a number of steps", steps));
  const std::scoped_lock lock(parts_->state->mutex);
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    frame.views[i] = feeds[parts_->order[i]];
    frame.step_bytes[i] = parts_->plan->feeds().take_first_row(i, steps, frame.views[i]);
  }
  parts_->state->execute_steps(*parts_->plan, frame, steps);
  return frame.outputs;
}

ProgramStatistics Callable::statistics() const {
  const std::scoped_lock lock(parts_->state->mutex);
  return parts_->plan->statistics;
}

Explanation Callable::explain() const {
  const std::scoped_lock lock(parts_->state->mutex);
  const ProgramStatistics& known = parts_->plan->statistics;
  if (known.runs == 0) throw RunError("explain() needs the sizes of a run: call the program before");
  std::vector<double> microseconds;
  for (const StepTime& step : known.steps) microseconds.push_back(step.fastest / 1000);
  Explanation out = lathe::explain(parts_->plan->executable(), parts_->frame.bound, microseconds);
  out.program = known.name;
  out.phases = known.phases;
  out.cache = to_string(known.cache);
  return out;
}

const Program& Callable::program() const {
  return parts_->plan->executable().program();
}

}  // namespace lathe
