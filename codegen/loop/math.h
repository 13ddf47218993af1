#pragma once

#include <lathe/codegen/loop/expr.h>

/// Mathematical functions written once as expressions of primitives, so that the interpreter and compiled code agree by
/// construction. Arguments are f32 or f64. The bounds stated are the largest errors in units in the last place.
namespace lathe::loop {

Expr exp(Expr x);
Expr expm1(Expr x);
Expr log(Expr x);
Expr log1p(Expr x);
Expr sin(Expr x);
Expr cos(Expr x);
Expr tanh(Expr x);
Expr sigmoid(Expr x);
Expr softplus(Expr x);  // log(1 + exp(x))
Expr erf(Expr x);
Expr pow(Expr x, Expr y);

Expr is_nan(Expr x);
Expr is_finite(Expr x);
Expr is_inf(Expr x);

/// Word `word` (0 to 3) of Philox4x32-10's block number `index` under key `seed` and counter words (stream), as an i64
/// in [0, 2^32). All arguments are i64. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
Expr philox(Expr seed, Expr stream, Expr index, int word);

}  // namespace lathe::loop
