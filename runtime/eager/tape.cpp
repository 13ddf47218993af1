#include <lathe/runtime/eager/tape.h>

#include <optional>
#include <string_view>

#include <fmt/format.h>

#include <lathe/runtime/eager/state.h>

namespace lathe::eager {
namespace {

[[noreturn]] void fail(const std::source_location& where, std::string_view message) {
  throw GraphError(fmt::format("gradient tape ({}): {}", describe(SourceLine(where)), message));
}

}  // namespace

struct GradientTape::Parts {
  State& state;
  TapeOptions options;
  bool traced;  // in a function that is being traced the graph itself is the record
  TapeRecord record;
  std::optional<std::uint32_t> number;  // while it records or keeps what it has recorded

  void stop() {
    if (!number) return;
    state.stop_tape(*number);
    number.reset();
    record = {};
  }
};

GradientTape::GradientTape(Context& context, TapeOptions options)
    : parts_(new Parts{dynamic_cast<State&>(*context.graph().dispatcher()), options, false, {}, std::nullopt}) {
  parts_->traced = parts_->state.tracing != nullptr;
  parts_->record.watch_variables = options.watch_variables;
  if (!parts_->traced) parts_->number = parts_->state.start_tape(parts_->record);
}

GradientTape::~GradientTape() {
  parts_->stop();
}

void GradientTape::watch(const Value& x, std::source_location where) {
  if (x.empty()) fail(where, "an empty Value, never set or moved from, cannot be watched");
  if (!is_float(x.dtype())) {
    fail(where, fmt::format("'{}' is {}, and only floats have gradients", x.name(), to_string(x.type())));
  }
  if (parts_->traced) return;
  if (!parts_->number) fail(where, "it was used up by gradient(): make it persistent to go on");
  if (&State::of(x, "what is watched") != &parts_->state) fail(where, "an array of another context cannot be watched");
  parts_->state.watch(*parts_->number, x.id().node);
}

Values GradientTape::gradient(const Value& y, const Values& xs, GradientOptions options, std::source_location where) {
  return gradient(Values{y}, xs, {}, options, where);
}

Values GradientTape::gradient(const Values& ys, const Values& xs, const Values& grad_ys, GradientOptions options,
                              std::source_location where) {
  Parts& parts = *parts_;
  if (parts.traced) return parts.state.gradients_in_trace(ys, xs, grad_ys, options, where);
  if (!parts.number) {
    fail(where, "gradient() was called before, which used the tape up: make it with {.persistent = true}");
  }
  for (const Value& x : xs) {
    if (x.empty() || parts.state.follows(*parts.number, x)) continue;
    fail(where,
         fmt::format("'{}' {} is not watched: call watch() before computing with it", x.name(), to_string(x.type())));
  }
  Values out;
  {
    const StopRecording pause(parts.state, 1U << *parts.number);
    out = gradients_along(parts.record.order, ys, xs, grad_ys, options, where);
  }
  if (!parts.options.persistent) parts.stop();
  return out;
}

}  // namespace lathe::eager
