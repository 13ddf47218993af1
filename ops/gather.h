#pragma once

#include <cstdint>
#include <source_location>

#include <lathe/graph/graph.h>

namespace lathe {

namespace op {
extern const Op gather;
extern const Op scatter_add;
}  // namespace op

/// Slices of x picked by number along `axis` (negative: from the end), as np.take: for x [A.., N, B..] and indices
/// [I..] the result is [A.., I.., B..]. Indices are u8, i32 or i64; one outside [0, N) makes the run fail with a
/// RunError that names it. Gradient: dy added up where it came from (`scatter_add` into zeros); none for the indices.
Value gather(Value x, Value indices, std::int64_t axis = 0,
             std::source_location where = std::source_location::current());

/// base, and updates[i..] added to its row number indices[i..], for each i in turn: base [N, B..], indices [I..],
/// updates [I.., B..]. Rows named more than once take every update, in row-major order of the indices. base and updates
/// are of one dtype, not bool. An index outside [0, N) makes the run fail. Gradient: dbase = dy, dupdates = gather(dy,
/// indices); none for the indices.
Value scatter_add(Value base, Value indices, Value updates,
                  std::source_location where = std::source_location::current());

}  // namespace lathe
