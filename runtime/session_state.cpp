#include <lathe/runtime/session_state.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/denormals.h>
#include <lathe/runtime/debug/walk.h>
#include <lathe/runtime/host.h>
#include <lathe/runtime/run_program.h>
#include <lathe/runtime/seeds.h>

namespace lathe {
namespace {

std::vector<ValueId> resolve_all(const Graph& graph, const ValueRefs& references, std::string_view role) {
  std::vector<ValueId> values;
  for (const ValueRef& reference : references) values.push_back(resolve(graph, reference, role));
  return values;
}

const void* advanced(const void* pointer, std::size_t bytes) {
  return static_cast<const std::byte*>(pointer) + bytes;
}
void* advanced(void* pointer, std::size_t bytes) {
  return static_cast<std::byte*>(pointer) + bytes;
}

bool overlap(const TensorView& view, std::size_t view_bytes, std::span<const std::byte> bytes) {
  const std::less<const std::byte*> before;
  return view_bytes > 0 && !bytes.empty() && before(view.data, bytes.data() + bytes.size()) &&
         before(bytes.data(), view.data + view_bytes);
}

void check_no_overlap(const Frame& frame, std::int64_t steps) {
  for (std::size_t i = 0; i < frame.views.size(); ++i) {
    const TensorView& view = frame.views[i];
    std::size_t bytes = bytes_of(view);
    if (frame.step_bytes[i] > 0) bytes *= static_cast<std::size_t>(steps);
    for (const Tensor& output : frame.outputs) {
      if (!overlap(view, bytes, output.bytes())) continue;
      throw RunError("a tensor is fed that this callable returned and is about to overwrite: copy it first");
    }
  }
}

/// Notes the number of steps, and each view's dtype and extents.
void note_sizes(Frame& frame, std::optional<std::int64_t> steps) {
  frame.sizes.assign(1, steps.value_or(-1));
  for (const TensorView& view : frame.views) {
    frame.sizes.push_back(static_cast<std::int64_t>(view.dtype));
    frame.sizes.push_back(static_cast<std::int64_t>(view.shape.size()));
    frame.sizes.insert(frame.sizes.end(), view.shape.begin(), view.shape.end());
  }
}

/// The CPU's counter ticks at a rate of its own, which the time of the whole run tells.
void note_times(std::vector<StepTime>& steps, std::span<const std::int64_t> ticks, std::chrono::nanoseconds whole_run) {
  const std::int64_t all = ticks.back() - ticks.front();
  if (all <= 0) return;
  const bool first = steps.empty();
  steps.resize(ticks.size() - 1);
  const double nanoseconds_a_tick = static_cast<double>(whole_run.count()) / static_cast<double>(all);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double time = static_cast<double>(ticks[i + 1] - ticks[i]) * nanoseconds_a_tick;
    steps[i].fastest = first ? time : std::min(steps[i].fastest, time);
    steps[i].total += time;
  }
}

}  // namespace

Frame::Frame(const Plan& plan, VariableStore& store, bool profile) {
  const ProgramInterface& interface = plan.executable().interface();
  views.resize(plan.feed_ids().size());
  step_bytes.resize(plan.feed_ids().size());
  input_data.resize(interface.inputs);
  output_data.resize(interface.outputs.size());
  output_step_bytes.resize(interface.outputs.size());
  for (const Slots::VariableUse& use : plan.slots().variables) variables.push_back(&store.at(use.node));
  variable_data.resize(variables.size());
  for (const Exchange& exchange : interface.exchanges) {
    VariableStore::Variable& variable = *variables[exchange.variable];
    if (variable.next.type() == variable.tensor.type()) continue;
    variable.next = Tensor(variable.tensor.dtype(), variable.tensor.shape());
  }
  if (profile) ticks.resize(interface.steps + 1);
  symbols.resize(interface.symbols.size());
  renew_outputs(interface);
}

void Frame::renew_outputs(const ProgramInterface& interface) {
  known_sizes.clear();
  outputs.clear();
  for (std::size_t slot = 0; slot < interface.outputs.size() - interface.exchanges.size(); ++slot) {
    const TensorType& type = interface.outputs[slot];
    outputs.emplace_back(type.dtype, Extents(type.rank(), 0));
  }
}

SessionState::SessionState(Graph& the_graph, SessionOptions the_options)
    : graph(the_graph),
      options(fill_from_environment(std::move(the_options))),
      pool(options.threads),
      variables(graph, stores_panels(options)),
      seed(options.seed) {}

SessionState::Entry& SessionState::find(const Signature& signature) {
  const auto found = entries_.find(signature);
  if (found != entries_.end()) return found->second;
  auto plan = signature.initialize ? std::make_shared<Plan>(graph, Plan::Initialize{})
                                   : std::make_shared<Plan>(graph, signature.fetches, signature.feeds);
  return entries_.emplace(signature, Entry{std::move(plan), nullptr}).first->second;
}

SessionState::Request SessionState::find(const ValueRefs& fetches, const std::vector<Feed>& feeds) {
  std::vector<ValueRef> values;
  for (const Feed& feed : feeds) values.push_back(feed.value);
  const auto [signature, order] = this->signature(fetches, values);
  Request request{.entry = find(signature), .views = {}};
  for (const std::size_t place : order) request.views.push_back(feeds[place].tensor);
  return request;
}

// Runs with the same feeds in another order share a program.
SessionState::Ordered SessionState::signature(const ValueRefs& fetches, const ValueRefs& feeds) const {
  const std::vector<ValueId> values = resolve_all(graph, feeds, "feed");
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  Ordered out{{false, resolve_all(graph, fetches, "fetch"), {}}, std::move(order)};
  for (const std::size_t place : out.order) out.signature.feeds.push_back(values[place]);
  return out;
}

void SessionState::compile(Plan& plan) {
  if (plan.compiled()) return;
  plan.compile(options, compiled.size());
  compiled.push_back(plan.shared_from_this());
}

std::int64_t SessionState::next_seed() const {
  return static_cast<std::int64_t>(split_mix(seed, seeded_runs));
}

void SessionState::execute(Plan& plan, Frame& frame, std::optional<std::uint64_t> fixed_seed) {
  const FlushDenormals flush;
  std::fill(frame.step_bytes.begin(), frame.step_bytes.end(), std::size_t{0});
  prepare(plan, frame, std::nullopt);
  step(plan, frame, fixed_seed);
}

void SessionState::execute_steps(Plan& plan, Frame& frame, std::int64_t steps) {
  const FlushDenormals flush;
  prepare(plan, frame, steps);
  for (std::int64_t done = 0; done < steps; ++done) {
    step(plan, frame, std::nullopt);
    for (std::size_t slot = 0; slot < frame.input_data.size(); ++slot) {
      const auto& input = plan.slots().inputs[slot];
      if (input) frame.input_data[slot] = advanced(frame.input_data[slot], frame.step_bytes[*input]);
    }
    for (std::size_t slot = 0; slot < frame.outputs.size(); ++slot) {
      frame.output_data[slot] = advanced(frame.output_data[slot], frame.output_step_bytes[slot]);
    }
  }
}

/// Everything but the run itself: checks, sizes, addresses. Sizes stay as they are from run to run if nothing that is
/// fed has others.
void SessionState::prepare(Plan& plan, Frame& frame, std::optional<std::int64_t> steps) {
  note_sizes(frame, steps);
  const bool same_sizes = frame.sizes == frame.known_sizes;
  if (same_sizes) {
    plan.feeds().check_data(frame.views);
  } else {
    frame.known_sizes.clear();
    plan.bind(frame.views, frame.fed);
  }
  check_variables(plan, frame);
  check_no_overlap(frame, steps.value_or(1));
  if (!same_sizes) {
    bind_symbols(plan, frame);
    give_sizes(plan, frame, steps);
    frame.known_sizes = frame.sizes;
  }
  point(plan, frame);
}

void SessionState::step(Plan& plan, Frame& frame, std::optional<std::uint64_t> fixed_seed) {
  frame.seed = fixed_seed ? static_cast<std::int64_t>(*fixed_seed) : next_seed();
  Host host{plan.executable().interface(), frame.bound, options, nullptr};
  const bool alone = pool.threads() == 1;
  const abi::Arguments arguments{
      .inputs = frame.input_data.data(),
      .outputs = frame.output_data.data(),
      .variables = frame.variable_data.data(),
      .constants = plan.executable().constants(),
      .arena = arena_.bytes().data(),
      .symbols = frame.symbols.data(),
      .parallel_for = alone ? nullptr : &ThreadPool::parallel_for,
      .parallel_context = alone ? nullptr : &pool,
      .host = &Host::call,
      .host_context = &host,
      .failure = nullptr,
      .ticks = frame.ticks.empty() ? nullptr : frame.ticks.data(),
  };
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = arguments.ticks ? Clock::now() : Clock::time_point();
  try {
    run_program(plan.executable(), arguments);
  } catch (const RunError&) {
    if (options.assert_all_finite) find_failure(plan, frame);
    throw;
  }
  if (arguments.ticks) note_times(plan.statistics.steps, frame.ticks, Clock::now() - start);

  const std::vector<Exchange>& exchanges = plan.executable().interface().exchanges;
  for (const Exchange& exchange : exchanges) {
    VariableStore::Variable& variable = *frame.variables[exchange.variable];
    std::swap(variable.tensor, variable.next);
  }
  if (!exchanges.empty()) point_to_variables(plan, frame);
  for (std::size_t slot = 0; slot < frame.variables.size(); ++slot) {
    if (plan.slots().variables[slot].assigned) frame.variables[slot]->initialized = true;
  }
  if (plan.slots().use_seed() && !fixed_seed) ++seeded_runs;
  ++plan.statistics.runs;
  if (host.thrown) std::rethrow_exception(host.thrown);
}

void SessionState::check_variables(const Plan& plan, const Frame& frame) const {
  for (std::size_t slot = 0; slot < frame.variables.size(); ++slot) {
    const Slots::VariableUse& use = plan.slots().variables[slot];
    if (use.read && !frame.variables[slot]->initialized) not_initialized(graph.node(use.node));
  }
}

void SessionState::bind_symbols(const Plan& plan, Frame& frame) const {
  frame.bound.clear();
  for (std::size_t i = 0; i < frame.symbols.size(); ++i) {
    frame.symbols[i] = plan.slots().symbols[i].evaluate(frame.fed);
    frame.bound.bind(plan.executable().interface().symbols[i], frame.symbols[i]);
  }
}

/// Gives every output and the arena their sizes.
void SessionState::give_sizes(Plan& plan, Frame& frame, std::optional<std::int64_t> steps) {
  const ProgramInterface& interface = plan.executable().interface();
  for (std::size_t slot = 0; slot < frame.outputs.size(); ++slot) {
    frame.extents.clear();
    if (steps) frame.extents.push_back(*steps);
    for (const Dim& extent : interface.outputs[slot].shape) {
      frame.extents.push_back(extent.evaluate(frame.bound));
    }
    frame.outputs[slot].resize(frame.extents);
    const auto rows = static_cast<std::size_t>(steps ? std::max<std::int64_t>(*steps, 1) : 1);
    frame.output_step_bytes[slot] = frame.outputs[slot].bytes().size() / rows;
  }
  const std::int64_t arena_bytes = interface.arena_bytes.evaluate(frame.bound);
  plan.statistics.arena_bytes = arena_bytes;
  if (arena_bytes > arena_.size()) arena_.resize(std::array{arena_bytes});
}

/// Collects the addresses of everything.
void SessionState::point(const Plan& plan, Frame& frame) const {
  for (std::size_t slot = 0; slot < frame.outputs.size(); ++slot) {
    frame.output_data[slot] = frame.outputs[slot].bytes().data();
  }
  for (std::size_t slot = 0; slot < frame.input_data.size(); ++slot) {
    const auto& input = plan.slots().inputs[slot];
    frame.input_data[slot] = input ? static_cast<const void*>(frame.views[*input].data) : &frame.seed;
  }
  point_to_variables(plan, frame);
}

// Which memory is a variable's changes with every exchange.
void SessionState::point_to_variables(const Plan& plan, Frame& frame) const {
  for (std::size_t slot = 0; slot < frame.variables.size(); ++slot) {
    frame.variable_data[slot] = frame.variables[slot]->tensor.bytes().data();
  }
  for (const Exchange& exchange : plan.executable().interface().exchanges) {
    frame.output_data[exchange.output] = frame.variables[exchange.variable]->next.bytes().data();
  }
}

/// Repeats a run that failed a check node by node, which throws what the first node has to say.
void SessionState::find_failure(const Plan& plan, const Frame& frame) {
  std::vector<TensorView> views = frame.views;
  for (std::size_t slot = 0; slot < frame.input_data.size(); ++slot) {
    const auto& input = plan.slots().inputs[slot];
    if (input) views[*input].data = static_cast<const std::byte*>(frame.input_data[slot]);
  }
  debug::Walk(*this, plan, views, frame.seed).run([](const debug::NodeValue&) { return true; });
}

}  // namespace lathe
