#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <lathe/runtime/session.h>

namespace lathe::debug {

/// What the elements of one value of a run are like. A bool counts as 0 or 1.
struct ValueNumerics {
  std::string name;  // of the node; ":k" follows for outputs after the first
  std::string op;
  SourceLine where;                    // the user's
  std::optional<std::string> forward;  // of a gradient node: the node that it differentiates
  DType dtype = DType::f32;
  Extents shape;
  // Of the finite elements; nothing where there are none.
  std::optional<double> min, max, mean;
  std::int64_t zeros = 0;
  std::int64_t nans = 0;
  std::int64_t infinities = 0;  // of either sign

  /// The part of all elements that is zero, in [0, 1]; 0 if there are no elements.
  double share_of_zeros() const;
};

/// One entry a value of the optimised graph, in its order.
using Numerics = std::vector<ValueNumerics>;

/// Runs `fetches` as run_stepwise() does, assignments included, and describes every value of the run.
///
///   fmt::print("{}", to_string(debug::numerics(session, {loss}, feeds)));
///
/// With SessionOptions::assert_all_finite a value that is not finite is an error, as in any run, and gives no report.
Numerics numerics(Session& session, const ValueRefs& fetches, const std::vector<Feed>& feeds = {});

/// A table with a line a value, and a mark before those that hold NaN or infinities.
std::string to_string(const Numerics& numerics);

}  // namespace lathe::debug
