#include <lathe/runtime/session_state.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>

#include <fmt/format.h>

#include <lathe/codegen/denormals.h>
#include <lathe/runtime/host.h>
#include <lathe/runtime/run_program.h>
#include <lathe/runtime/seeds.h>

namespace lathe {
namespace {

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
  views.resize(plan.feed_count());
  step_bytes.resize(plan.feed_count());
  input_data.resize(interface.inputs);
  output_data.resize(interface.outputs.size());
  output_step_bytes.resize(interface.outputs.size());
  for (const Slots::VariableUse& use : plan.slots().variables) variables.push_back(&store.at(use.node));
  variable_data.resize(variables.size());
  if (profile) ticks.resize(interface.steps + 1);
  symbols.resize(interface.symbols.size());
  renew_outputs(interface);
}

void Frame::renew_outputs(const ProgramInterface& interface) {
  outputs.clear();
  for (const TensorType& type : interface.outputs) outputs.emplace_back(type.dtype, Extents(type.rank(), 0));
}

SessionState::SessionState(Graph& the_graph, SessionOptions the_options)
    : graph(the_graph),
      options(with_environment(std::move(the_options))),
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

void SessionState::compile(Plan& plan) {
  if (plan.compiled()) return;
  plan.compile(options, compiled.size());
  compiled.push_back(plan.shared_from_this());
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
    for (std::size_t slot = 0; slot < frame.output_data.size(); ++slot) {
      frame.output_data[slot] = advanced(frame.output_data[slot], frame.output_step_bytes[slot]);
    }
  }
}

/// Everything but the run itself: checks, sizes, addresses.
void SessionState::prepare(Plan& plan, Frame& frame, std::optional<std::int64_t> steps) {
  plan.feeds().bind(frame.views, frame.fed);
  plan.check_symbols(frame.fed);
  check_variables(plan, frame);
  check_no_overlap(frame, steps.value_or(1));
  bind_symbols(plan, frame);
  point(plan, frame, steps);
}

void SessionState::step(Plan& plan, Frame& frame, std::optional<std::uint64_t> fixed_seed) {
  frame.seed = static_cast<std::int64_t>(fixed_seed ? *fixed_seed : split_mix(seed, seeded_runs));
  Host host{plan.executable().interface(), frame.bound, options.print, nullptr};
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
  const auto start = std::chrono::steady_clock::now();
  run_program(plan.executable(), arguments);
  if (arguments.ticks) note_times(plan.statistics.steps, frame.ticks, std::chrono::steady_clock::now() - start);

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

/// Gives every output and the arena their sizes, and collects the addresses of everything.
void SessionState::point(Plan& plan, Frame& frame, std::optional<std::int64_t> steps) {
  const ProgramInterface& interface = plan.executable().interface();
  for (std::size_t slot = 0; slot < frame.outputs.size(); ++slot) {
    frame.extents.clear();
    if (steps) frame.extents.push_back(*steps);
    for (const Dim& extent : interface.outputs[slot].shape) {
      frame.extents.push_back(extent.evaluate(frame.bound));
    }
    frame.outputs[slot].resize(frame.extents);
    frame.output_data[slot] = frame.outputs[slot].bytes().data();
    const auto rows = static_cast<std::size_t>(steps ? std::max<std::int64_t>(*steps, 1) : 1);
    frame.output_step_bytes[slot] = frame.outputs[slot].bytes().size() / rows;
  }
  const std::int64_t arena_bytes = interface.arena_bytes.evaluate(frame.bound);
  plan.statistics.arena_bytes = arena_bytes;
  if (arena_bytes > arena_.size()) arena_.resize(std::array{arena_bytes});
  for (std::size_t slot = 0; slot < frame.input_data.size(); ++slot) {
    const auto& input = plan.slots().inputs[slot];
    frame.input_data[slot] = input ? static_cast<const void*>(frame.views[*input].data) : &frame.seed;
  }
  for (std::size_t slot = 0; slot < frame.variables.size(); ++slot) {
    frame.variable_data[slot] = frame.variables[slot]->tensor.bytes().data();
  }
}

}  // namespace lathe
