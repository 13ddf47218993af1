#include <lathe/runtime/eager/traced_program.h>

#include <algorithm>
#include <utility>

#include <lathe/codegen/layout.h>
#include <lathe/runtime/eager/state.h>
#include <lathe/runtime/feed_check.h>
#include <lathe/runtime/run_program.h>
#include <lathe/runtime/variable_store.h>

namespace lathe::eager {

TracedProgram::TracedProgram(State& state, std::unique_ptr<Trace> trace, std::string name, bool panels)
    : state_(state), trace_(std::move(trace)) {
  SessionOptions options = state.options;
  options.assert_all_finite = false;  // asserted of ops, one by one
  if (!panels) options.disable.emplace_back("panels");
  panels_ = stores_panels(options);
  std::vector<ValueId> feeds;
  for (const Value& argument : trace_->arguments) feeds.push_back(argument.id());
  for (const Trace::Captured& array : trace_->arrays) feeds.push_back(array.inside.id());
  plan_ = std::make_shared<Plan>(trace_->graph, trace_->fetches, feeds);
  plan_->statistics.name = std::move(name);
  plan_->compile(options, state.programs++);
  const ProgramInterface& interface = plan_->executable().interface();
  symbols_.resize(interface.symbols.size());
  inputs_.resize(interface.inputs);
  outputs_.resize(interface.outputs.size());
  variables_.resize(interface.variables);
  for (const Slots::VariableUse& use : plan_->slots().variables) {
    const Value inside(trace_->graph, {use.node, 0});
    const auto known = std::find_if(trace_->captured_variables.begin(), trace_->captured_variables.end(),
                                    [&](const Trace::Captured& variable) { return variable.inside == inside; });
    outside_.push_back(known->outside);
  }
}

bool TracedProgram::fits(std::span<const Value> arguments) const {
  Bindings bindings;
  const auto fits = [&](const Value& inside, const Value& outside, bool symbols) {
    const Extents& extents = state_.extents(outside.id().node);
    const Shape& shape = inside.shape();
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
      const auto symbol = shape[axis].as_symbol();
      if (symbols != symbol.has_value()) continue;
      const bool same =
          symbol ? !bindings.bind(*symbol, extents[axis]) : shape[axis].evaluate(bindings) == extents[axis];
      if (!same) return false;
    }
    return true;
  };
  // What symbols stand for first: other extents may be made of them.
  for (const bool symbols : {true, false}) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (!fits(trace_->arguments[i], arguments[i], symbols)) return false;
    }
    for (const Trace::Captured& array : trace_->arrays) {
      if (!fits(array.inside, array.outside, symbols)) return false;
    }
  }
  return true;
}

Values TracedProgram::run(std::span<const Value> arguments) {
  const Executable& executable = plan_->executable();
  const ProgramInterface& interface = executable.interface();
  const Slots& slots = plan_->slots();
  views_.clear();
  Values held;  // what is updated in place must not be read as an argument
  for (const Value& argument : arguments) held.push_back(state_.snapshot(argument));
  for (const Value& argument : held) views_.push_back(state_.view(argument));
  for (const Trace::Captured& array : trace_->arrays) views_.push_back(state_.view(array.outside));
  plan_->bind(views_, fed_);
  bound_.clear();
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    symbols_[i] = slots.symbols[i].evaluate(fed_);
    bound_.bind(interface.symbols[i], symbols_[i]);
  }
  std::int64_t seed = 0;
  if (slots.use_seed()) seed = static_cast<std::int64_t>(state_.next_seed());
  for (std::size_t slot = 0; slot < inputs_.size(); ++slot) {
    inputs_[slot] = slots.inputs[slot] ? static_cast<const void*>(views_[*slots.inputs[slot]].data) : &seed;
  }
  std::size_t bytes_moved = 0;
  for (const TensorView& view : views_) bytes_moved += bytes_of(view);
  Values made;
  for (std::size_t slot = 0; slot < outputs_.size(); ++slot) {
    const TensorType& type = interface.outputs[slot];
    State::Output output = state_.make({type.dtype, to_shape(evaluate(type.shape, bound_))});
    outputs_[slot] = output.data;
    made.push_back(std::move(output.value));
  }
  std::vector<NodeId> unset;  // variables without a value before the run
  for (std::size_t slot = 0; slot < variables_.size(); ++slot) {
    const Slots::VariableUse& use = slots.variables[slot];
    const Value& outside = outside_[slot];
    const NodeId variable = outside.id().node;
    if (!state_.is_initialized(variable)) {
      if (use.read) not_initialized(outside.node());
      unset.push_back(variable);
    }
    variables_[slot] = state_.exclusive(variable, panels_ ? panel_columns(outside.type()) : 0);
    const std::size_t uses = (use.read ? 1 : 0) + (use.assigned ? 1 : 0);
    bytes_moved += uses * static_cast<std::size_t>(element_count(state_.extents(variable))) * size_of(outside.dtype());
  }
  const std::int64_t arena_bytes = interface.arena_bytes.evaluate(bound_);
  plan_->statistics.arena_bytes = arena_bytes;
  abi::Arguments own{};
  own.inputs = inputs_.data();
  own.outputs = outputs_.data();
  own.variables = variables_.data();
  own.symbols = symbols_.data();
  const auto [failure, thrown] = state_.run(executable, bound_, static_cast<std::size_t>(arena_bytes), own);
  if (failure) {
    for (const NodeId variable : unset) state_.forget(variable);
    throw RunError(check_message(check_of(executable, *failure), *failure));
  }
  ++plan_->statistics.runs;
  ++state_.counters.dispatches;
  state_.counters.kernels += interface.kernels;
  made.resize(trace_->results);
  for (const Value& result : made) bytes_moved += bytes_of(state_.view(result));
  state_.counters.bytes_moved += bytes_moved;
  if (thrown) std::rethrow_exception(thrown);
  return made;
}

}  // namespace lathe::eager
