#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <lathe/runtime/session.h>

/// Ways to look inside a run.
namespace lathe::debug {

/// A value of a run together with the node that made it.
struct NodeValue {
  const Node& node;  // of the optimised graph: its name, op, the user's line, and of a gradient node the forward node
  std::uint32_t output = 0;
  const Tensor& tensor;
};

/// Looks at a value, which is valid during the call; false stops the run.
using Observer = std::function<bool(const NodeValue&)>;

/// Does what session.run(fetches, feeds) does, with the same bits, but node by node through the interpreter, and shows
/// `observer` every value of the graph that is left after all passes, in its order: what is fed, constants, variables
/// that are read, and all that is computed. An assignment shows the variable's new value. Slow, and compiles nothing.
///
///   debug::run_stepwise(session, {loss, train}, feeds, [](const debug::NodeValue& value) {
///     fmt::print("{} {}\n", describe(value.node), to_string(value.tensor));
///     return true;
///   });
///
/// At the end assignments take effect together, and random numbers are drawn as the session's next run would have drawn
/// them. If the observer stops the run nothing is returned, no variable changes and no random numbers count as drawn;
/// the same holds if it throws. Throws RunError as Session::run does, a failed check when its node's turn comes. The
/// observer must not use the session.
std::vector<Tensor> run_stepwise(Session& session, const ValueRefs& fetches, const std::vector<Feed>& feeds,
                                 const Observer& observer);

}  // namespace lathe::debug
