#pragma once

#include <source_location>
#include <string_view>

#include <lathe/graph/graph.h>

/// Ops that are there for what they do. They are carried out in the runs that depend on them, by value or by control.
namespace lathe {

namespace op {
extern const Op print;
extern const Op assert_all_finite;
extern const Op check_labels;
extern const Op group;
extern const Op with_dependencies;
}  // namespace op

/// x; each run hands it to the session's output after `message`. Gradient: dx = dy.
Value print(Value x, std::string_view message = {}, std::source_location where = std::source_location::current());

/// x, of floats; a run in which an element is NaN or infinite throws RunError with `message` and the element's index,
/// and leaves all variables as they were. Gradient: dx = dy.
Value assert_all_finite(Value x, std::string_view message = {},
                        std::source_location where = std::source_location::current());

/// labels, integers; a run in which one is outside [0, classes) throws RunError naming the label and its row. Not
/// differentiable, as integers are not.
Value check_labels(Value labels, Dim classes, std::source_location where = std::source_location::current());

/// True, a scalar of bool, once all of `values` have been computed: a way to fetch many effects at once.
/// Throws GraphError if there are none.
Value group(const Values& values, std::source_location where = std::source_location::current());

/// x, once all of `effects` have been computed. Gradient: dx = dy.
Value with_dependencies(Value x, const Values& effects, std::source_location where = std::source_location::current());

}  // namespace lathe
