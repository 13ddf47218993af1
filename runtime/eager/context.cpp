#include <lathe/runtime/eager/context.h>

#include <utility>

#include <lathe/runtime/eager/array.h>
#include <lathe/runtime/eager/state.h>

namespace lathe::eager {

Context::Context(SessionOptions options)
    : state_(new State(std::move(options)), [](State* state) { state->abandon(); }) {}
Context::~Context() = default;
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;

Graph& Context::graph() const {
  return state_->graph;
}

Array Context::array(const TensorView& tensor) {
  return state_->adopt(tensor);
}

void Context::set_seed(std::uint64_t seed) {
  state_->seed = seed;
  state_->draws = 0;
}

Statistics Context::statistics() const {
  Statistics out = state_->counters;
  out.compilations = state_->kernels.compiled();
  out.found = state_->kernels.found();
  out.compile_milliseconds = state_->kernels.compile_milliseconds();
  out.live_bytes = state_->buffers.live_bytes();
  out.peak_bytes = state_->buffers.peak_bytes();
  out.held_bytes = state_->buffers.held_bytes();
  return out;
}

void Context::reset_peak() {
  state_->buffers.reset_peak();
}

void Context::trim() {
  state_->buffers.trim();
}

int Context::threads() const {
  return state_->pool.threads();
}

}  // namespace lathe::eager
