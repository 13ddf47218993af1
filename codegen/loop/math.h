#pragma once

#include <lathe/codegen/loop/expr.h>

/// Mathematical functions written once as expressions of primitives, so that the interpreter and compiled code agree by
/// construction. Arguments are f32 or f64. The bounds stated are the largest errors in units in the last place; f32's
/// hold for every argument. Special values are those of C99's Annex F, with two notes: subnormal arguments count as
/// zeros, and results that would be subnormal are zeros of the same sign.
namespace lathe::loop {

Expr exp(Expr x);       // 0.9 ulp
Expr expm1(Expr x);     // 1.5 ulp (f32), 1.8 (f64)
Expr log(Expr x);       // 0.9 ulp
Expr log1p(Expr x);     // 0.9 ulp
Expr tanh(Expr x);      // 1.5 ulp
Expr sigmoid(Expr x);   // 1 / (1 + exp(-x)); 1.7 ulp
Expr softplus(Expr x);  // log(1 + exp(x)); 1.7 ulp
Expr erf(Expr x);       // 1.3 ulp

/// 0.51 ulp (f32), 0.8 ulp (f64), for finite arguments of any size.
Expr sin(Expr x);
Expr cos(Expr x);

/// 0.51 ulp (f32), 1.2 ulp (f64).
Expr pow(Expr x, Expr y);

Expr is_nan(Expr x);
Expr is_finite(Expr x);
Expr is_inf(Expr x);

/// Word `word` (0 to 3) of Philox4x32-10's block number `index` under key `seed` and counter words (stream), as an i64
/// in [0, 2^32). All arguments are i64. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
Expr philox(Expr seed, Expr stream, Expr index, int word);

}  // namespace lathe::loop
