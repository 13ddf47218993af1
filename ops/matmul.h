#pragma once

#include <source_location>

#include <lathe/graph/graph.h>

namespace lathe {

namespace op {
extern const Op matmul;
}  // namespace op

/// What matmul multiplies: a or its transpose, b or its transpose.
struct MatmulOptions {
  bool transpose_a = false;  // a is [.., K, M]
  bool transpose_b = false;  // b is [.., N, K]
};

/// c[.., m, n] = sum over k of a[.., m, k] * b[.., k, n].  a: [.., M, K], b: [.., K, N], of one float dtype; leading
/// batch dimensions broadcast. The sum is one chain of fused multiply-adds in ascending k (codegen/loop/kernel.h).
/// Gradient: da = dc b^T, db = a^T dc, summed over batch dimensions that were broadcast.
/// Throws GraphError if an operand is not a matrix, the dtypes differ or the inner dimensions differ.
Value matmul(Value a, Value b, MatmulOptions options = {},
             std::source_location where = std::source_location::current());

}  // namespace lathe
