#pragma once

#include <source_location>

#include <lathe/graph/graph.h>

/// Mathematical functions of one value, element by element. Unless said otherwise they take f32 or f64 and throw
/// GraphError for other dtypes; error bounds are those of codegen/loop/math.h. NaN gives NaN.
namespace lathe {

namespace op {
extern const Op neg;
extern const Op abs;
extern const Op sign;
extern const Op exp;
extern const Op expm1;
extern const Op log;
extern const Op log1p;
extern const Op sqrt;
extern const Op rsqrt;
extern const Op square;
extern const Op reciprocal;
extern const Op sin;
extern const Op cos;
extern const Op tanh;
extern const Op sigmoid;
extern const Op softplus;
extern const Op erf;
extern const Op relu;
extern const Op floor;
extern const Op ceil;
extern const Op round;
extern const Op isnan;
extern const Op isfinite;
}  // namespace op

/// -x, of any numbers; integers wrap. Gradient: dx = -dy.
Value neg(Value x, std::source_location where = std::source_location::current());
/// |x|, of any numbers. Gradient: dx = dy sign(x), 0 at 0.
Value abs(Value x, std::source_location where = std::source_location::current());
/// -1, 0 or 1, of any numbers; NaN stays NaN, and 0 keeps its sign. Gradient: none flows, it is flat.
Value sign(Value x, std::source_location where = std::source_location::current());
/// e to the power of x. Gradient: dx = dy y.
Value exp(Value x, std::source_location where = std::source_location::current());
/// exp(x) - 1, exact near 0. Gradient: dx = dy exp(x).
Value expm1(Value x, std::source_location where = std::source_location::current());
/// The natural logarithm. Gradient: dx = dy / x.
Value log(Value x, std::source_location where = std::source_location::current());
/// log(1 + x), exact near 0. Gradient: dx = dy / (1 + x).
Value log1p(Value x, std::source_location where = std::source_location::current());
/// The square root, correctly rounded. Gradient: dx = dy / (2 y).
Value sqrt(Value x, std::source_location where = std::source_location::current());
/// 1 / sqrt(x), each operation correctly rounded. Gradient: dx = -dy y^3 / 2.
Value rsqrt(Value x, std::source_location where = std::source_location::current());
/// x * x, of any numbers; integers wrap. Gradient: dx = 2 dy x.
Value square(Value x, std::source_location where = std::source_location::current());
/// 1 / x. Gradient: dx = -dy y^2.
Value reciprocal(Value x, std::source_location where = std::source_location::current());
/// Gradient: dx = dy cos(x).
Value sin(Value x, std::source_location where = std::source_location::current());
/// Gradient: dx = -dy sin(x).
Value cos(Value x, std::source_location where = std::source_location::current());
/// Gradient: dx = dy (1 - y^2).
Value tanh(Value x, std::source_location where = std::source_location::current());
/// 1 / (1 + exp(-x)). Gradient: dx = dy y (1 - y).
Value sigmoid(Value x, std::source_location where = std::source_location::current());
/// log(1 + exp(x)), without overflow. Gradient: dx = dy sigmoid(x).
Value softplus(Value x, std::source_location where = std::source_location::current());
/// 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x. Gradient: dx = dy exp(-x^2) 2 / sqrt(pi).
Value erf(Value x, std::source_location where = std::source_location::current());
/// max(x, 0), of any numbers; NaN stays NaN. Gradient: dx = dy where x > 0, else 0.
Value relu(Value x, std::source_location where = std::source_location::current());
/// The next integer towards minus infinity. Gradient: none flows, it is flat. So too for ceil and round.
Value floor(Value x, std::source_location where = std::source_location::current());
/// The next integer towards infinity.
Value ceil(Value x, std::source_location where = std::source_location::current());
/// The nearest integer, the even one of two that are equally near.
Value round(Value x, std::source_location where = std::source_location::current());
/// Whether x is NaN, as bools. Not differentiable.
Value isnan(Value x, std::source_location where = std::source_location::current());
/// Whether x is neither NaN nor infinite, as bools. Not differentiable.
Value isfinite(Value x, std::source_location where = std::source_location::current());

}  // namespace lathe
