#pragma once

#include <functional>
#include <source_location>

#include <lathe/graph/graph.h>

/// Initial values of parameters, with Keras's formulas and defaults. The random ones draw from the seed of the run that
/// initialises the variables. A kernel of shape [.., in, out] has fan_in = in * r and fan_out = out * r, where r is the
/// product of the leading extents (a convolution's window); a vector's fans are both its length.
namespace lathe::nn::init {

/// Makes the initial value of a parameter of this shape (without symbols) and float dtype.
using Initializer = std::function<Value(Graph&, const Shape&, DType, std::source_location)>;

/// Uniform in [-l, l), l = sqrt(6 / (fan_in + fan_out)).  Glorot & Bengio, AISTATS 2010.
Value glorot_uniform(Graph& graph, const Shape& shape, DType dtype = DType::f32,
                     std::source_location where = std::source_location::current());
/// Normal of variance 2 / (fan_in + fan_out), truncated at two standard deviations and widened to keep the variance.
Value glorot_normal(Graph& graph, const Shape& shape, DType dtype = DType::f32,
                    std::source_location where = std::source_location::current());
/// Uniform in [-l, l), l = sqrt(6 / fan_in).  He et al., ICCV 2015.
Value he_uniform(Graph& graph, const Shape& shape, DType dtype = DType::f32,
                 std::source_location where = std::source_location::current());
/// Normal of variance 2 / fan_in, truncated at two standard deviations and widened to keep the variance.
Value he_normal(Graph& graph, const Shape& shape, DType dtype = DType::f32,
                std::source_location where = std::source_location::current());
Value zeros(Graph& graph, const Shape& shape, DType dtype = DType::f32,
            std::source_location where = std::source_location::current());
Value ones(Graph& graph, const Shape& shape, DType dtype = DType::f32,
           std::source_location where = std::source_location::current());

/// Normal, redrawn beyond two standard deviations; not widened.
Initializer truncated_normal(double mean = 0, double stddev = 0.05);
/// `value` everywhere.
Initializer constant(double value);

}  // namespace lathe::nn::init
