#pragma once

#include <source_location>

#include <lathe/ops/operand.h>

/// Random numbers: functions of (seed, stream, index) alone, by Philox4x32-10, so that they are the same on every
/// platform, for any number of threads and in any order. Each node has a stream of its own; the seed is the run's (see
/// `run_seed`) unless one is given, as a scalar of i64. Shapes may be symbolic. Nothing flows back to a seed.
namespace lathe {

namespace op {
extern const Op random_uniform;
extern const Op random_normal;
extern const Op random_truncated_normal;
}  // namespace op

/// What random numbers have in common.
struct RandomOptions {
  DType dtype = DType::f32;  // f32 or f64
  Value seed = {};           // i64 scalar; the run's if empty
};

/// Uniform in [low, high): low + (high - low) u, where u is a multiple of 2^-24 (f32) or 2^-53 (f64) in [0, 1); where
/// rounding would give `high` it gives `low`.
Value random_uniform(Graph& graph, Shape shape, double low = 0, double high = 1, RandomOptions options = {},
                     std::source_location where = std::source_location::current());

/// Normal, by Box and Muller's transform of two uniform numbers ("A Note on the Generation of Random Normal Deviates",
/// 1958): up to 5.8 (f32) or 8.6 (f64) standard deviations away from the mean.
Value random_normal(Graph& graph, Shape shape, double mean = 0, double deviation = 1, RandomOptions options = {},
                    std::source_location where = std::source_location::current());

/// Normal, but never more than two standard deviations away from the mean: the inverse of the distribution function at
/// one uniform number, without rejection. `deviation` is that of the normal distribution before it is cut; what is left
/// has 0.8796 of it. Inverse error function after Giles, "Approximating the erfinv function", GPU Computing Gems Jade
/// Edition, 2012, with one step of Newton's method for f64.
Value random_truncated_normal(Graph& graph, Shape shape, double mean = 0, double deviation = 1,
                              RandomOptions options = {}, std::source_location where = std::source_location::current());

/// 1 with probability p, else 0, in `options.dtype`, which may be any dtype here. p: a number, or a value of f32 or f64
/// that broadcasts to `shape`.
Value bernoulli(Graph& graph, Shape shape, Operand p, RandomOptions options = {},
                std::source_location where = std::source_location::current());

/// Sets each element to 0 with probability `rate` and multiplies the others by 1 / (1 - rate), so that the mean stays;
/// x itself if not training or if the rate is 0. The mask is computed again wherever it is needed, never stored. Throws
/// GraphError unless 0 <= rate < 1. Gradient: dx = dy, masked and scaled alike.
Value dropout(Value x, double rate, bool training = true, std::source_location where = std::source_location::current());

}  // namespace lathe
