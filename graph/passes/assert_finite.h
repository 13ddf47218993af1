#pragma once

#include <lathe/graph/graph.h>

namespace lathe {

/// Whether a run that asserts finite values looks at what a node makes: floats that come out of arithmetic. What only
/// moves or holds elements (constants, fed values, variables, views, gathers) may hold infinities by design, such as
/// the padding of a maximum.
bool asserts_finite(const Node& node);

/// Makes every run fail in which an element that asserts_finite() covers is NaN or infinite, by nodes of the op
/// `check`, which pass their input on. A value that nothing can hide gets no check of its own: the value that shows it
/// has one, directly or through others (OpSpec::shows_nonfinite). So a failure says that the run failed, not yet where.
Graph assert_finite(const Graph& graph, const Op& check);

}  // namespace lathe
