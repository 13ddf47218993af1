#include <lathe/runtime/session_state.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <functional>

#include <fmt/format.h>

#include <lathe/codegen/denormals.h>
#include <lathe/graph/pass.h>
#include <lathe/runtime/run_program.h>

namespace lathe {
namespace {

/// Number `index` of the SplitMix64 sequence that starts at `seed`. Steele, Lea & Flood, OOPSLA 2014.
std::uint64_t split_mix(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// What print steps need to know of the run that they are in.
struct Host {
  const Program& program;
  const Bindings& bindings;
  const std::function<void(std::string_view)>& sink;
  std::exception_ptr thrown;

  void print(const loop::HostStep& step, const void* data) const {
    const TensorType& type = program.tensor(step.tensor).type;
    Tensor tensor(type.dtype, evaluate(type.shape, bindings));
    const std::span<std::byte> bytes = tensor.bytes();
    if (!bytes.empty()) std::memcpy(bytes.data(), data, bytes.size());
    const std::string text =
        step.message.empty() ? to_string(tensor) : fmt::format("{}: {}", step.message, to_string(tensor));
    if (sink) {
      sink(text);
    } else {
      fmt::print(stderr, "{}\n", text);
    }
  }

  // Nothing may be thrown through compiled code.
  static void call(void* context, std::int64_t step, const void* data) {
    Host& host = *static_cast<Host*>(context);
    try {
      host.print(std::get<loop::HostStep>(host.program.steps.at(static_cast<std::size_t>(step))), data);
    } catch (...) {
      if (!host.thrown) host.thrown = std::current_exception();
    }
  }
};

SessionOptions with_environment(SessionOptions options) {
  PassOptions environment = PassOptions::from_environment();
  if (options.dump.empty()) options.dump = std::move(environment.dump);
  options.disable.insert(options.disable.end(), environment.disable.begin(), environment.disable.end());
  return options;
}

bool overlap(const TensorView& view, std::size_t view_bytes, std::span<const std::byte> bytes) {
  const std::less<const std::byte*> before;
  return view_bytes > 0 && !bytes.empty() && before(view.data, bytes.data() + bytes.size()) &&
         before(bytes.data(), view.data + view_bytes);
}

void check_no_overlap(const Frame& frame) {
  for (const TensorView& view : frame.views) {
    std::size_t bytes = size_of(view.dtype);
    for (const std::int64_t extent : view.shape) bytes *= static_cast<std::size_t>(extent);
    for (const Tensor& output : frame.outputs) {
      if (!overlap(view, bytes, output.bytes())) continue;
      throw RunError("a tensor is fed that this callable returned and is about to overwrite: copy it first");
    }
  }
}

}  // namespace

Frame::Frame(const Plan& plan, VariableStore& store) {
  const Program& program = plan.program();
  views.resize(plan.feed_count());
  input_data.resize(program.inputs.size());
  output_data.resize(program.outputs.size());
  for (const Plan::VariableUse& use : plan.variables()) variables.push_back(&store.at(use.node));
  variable_data.resize(variables.size());
  symbols.resize(program.symbols.size());
  renew_outputs(program);
}

void Frame::renew_outputs(const Program& program) {
  outputs.clear();
  for (const loop::TensorId id : program.outputs) {
    const TensorType& type = program.tensor(id).type;
    outputs.emplace_back(type.dtype, Extents(type.rank(), 0));
  }
}

SessionState::SessionState(Graph& the_graph, SessionOptions the_options)
    : graph(the_graph),
      options(with_environment(std::move(the_options))),
      pool(options.threads),
      variables(graph),
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
  plan.feeds().bind(frame.views, frame.fed);
  plan.check_symbols(frame.fed);
  check_variables(plan, frame);
  check_no_overlap(frame);
  bind_symbols(plan, frame);
  frame.seed = static_cast<std::int64_t>(fixed_seed ? *fixed_seed : split_mix(seed, seeded_runs));
  point(plan, frame);

  const Program& program = plan.program();
  Host host{program, frame.bound, options.print, nullptr};
  const bool alone = pool.threads() == 1;
  const abi::Arguments arguments{
      .inputs = frame.input_data.data(),
      .outputs = frame.output_data.data(),
      .variables = frame.variable_data.data(),
      .arena = arena_.bytes().data(),
      .symbols = frame.symbols.data(),
      .parallel_for = alone ? nullptr : &ThreadPool::parallel_for,
      .parallel_context = alone ? nullptr : &pool,
      .host = &Host::call,
      .host_context = &host,
      .failure = nullptr,
  };
  run_program(program, plan.executable().entry(), arguments);

  for (std::size_t slot = 0; slot < frame.variables.size(); ++slot) {
    if (plan.variables()[slot].assigned) frame.variables[slot]->initialized = true;
  }
  if (plan.uses_seed() && !fixed_seed) ++seeded_runs;
  ++plan.statistics.runs;
  if (host.thrown) std::rethrow_exception(host.thrown);
}

void SessionState::check_variables(const Plan& plan, const Frame& frame) const {
  for (std::size_t slot = 0; slot < frame.variables.size(); ++slot) {
    const Plan::VariableUse& use = plan.variables()[slot];
    if (use.read && !frame.variables[slot]->initialized) not_initialized(graph.node(use.node));
  }
}

void SessionState::bind_symbols(const Plan& plan, Frame& frame) const {
  frame.bound.clear();
  for (std::size_t i = 0; i < frame.symbols.size(); ++i) {
    frame.symbols[i] = plan.symbols()[i].evaluate(frame.fed);
    frame.bound.bind(plan.program().symbols[i], frame.symbols[i]);
  }
}

/// Gives every output and the arena their sizes, and collects the addresses of everything.
void SessionState::point(Plan& plan, Frame& frame) {
  const Program& program = plan.program();
  for (std::size_t slot = 0; slot < frame.outputs.size(); ++slot) {
    frame.extents.clear();
    for (const Dim& extent : program.tensor(program.outputs[slot]).type.shape) {
      frame.extents.push_back(extent.evaluate(frame.bound));
    }
    frame.outputs[slot].resize(frame.extents);
    frame.output_data[slot] = frame.outputs[slot].bytes().data();
  }
  const std::int64_t arena_bytes = program.arena_bytes.evaluate(frame.bound);
  plan.statistics.arena_bytes = arena_bytes;
  if (arena_bytes > arena_.size()) arena_.resize(std::array{arena_bytes});
  for (std::size_t slot = 0; slot < frame.input_data.size(); ++slot) {
    const Plan::Input& input = plan.inputs()[slot];
    frame.input_data[slot] = input ? static_cast<const void*>(frame.views[*input].data) : &frame.seed;
  }
  for (std::size_t slot = 0; slot < frame.variables.size(); ++slot) {
    frame.variable_data[slot] = frame.variables[slot]->tensor.bytes().data();
  }
}

}  // namespace lathe
