#include <lathe/runtime/debug/stepwise.h>

#include <exception>

#include <lathe/runtime/debug/walk.h>
#include <lathe/runtime/host.h>
#include <lathe/runtime/session_state.h>

namespace lathe::debug {

std::vector<Tensor> run_stepwise(Session& session, const ValueRefs& fetches, const std::vector<Feed>& feeds,
                                 const Observer& observer) {
  SessionState& state = *session.state_;
  const std::scoped_lock lock(state.mutex);
  const auto [entry, views] = state.find(fetches, feeds);
  Walk walk(state, *entry.plan, views, state.next_seed());
  // What a print node's receiver throws leaves a run when it is complete.
  std::exception_ptr thrown;
  const bool complete = walk.run([&](const NodeValue& value) {
    if (value.node.op->kind == Kind::host) {
      try {
        print(state.options, value.node.attributes.get<std::string>("message"), value.tensor);
      } catch (...) {
        if (!thrown) thrown = std::current_exception();
      }
    }
    return observer(value);
  });
  if (!complete) return {};
  walk.commit();
  if (thrown) std::rethrow_exception(thrown);
  return walk.fetched();
}

}  // namespace lathe::debug
