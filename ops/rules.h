#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <lathe/graph/graph.h>

/// Type rules, gradient rules, rewrites and samples that several ops share.
namespace lathe {

using InferredTypes = std::vector<TensorType>;

/// The type of input 0, whatever it is.
InferredTypes same_as_input(const InferContext& context);
/// The type of input 0, which must be of floats; of numbers (not bools); of bools.
InferredTypes float_like_input(const InferContext& context);
InferredTypes number_like_input(const InferContext& context);
InferredTypes bool_like_input(const InferContext& context);

/// Throws GraphError unless input `i` is of floats; of numbers; of bools.
void require_float(const InferContext& context, std::size_t i);
void require_number(const InferContext& context, std::size_t i);
void require_bool(const InferContext& context, std::size_t i);
/// Throws GraphError unless inputs `i` and `j` have one dtype: nothing is ever cast implicitly.
void require_same_dtype(const InferContext& context, std::size_t i, std::size_t j);

/// For ops without inputs.
Values no_inputs(const GradientContext& g);
/// Nothing flows to any input: the op is flat, or cuts gradients on purpose.
Values no_flow(const GradientContext& g);
/// dx = dy.
Values pass_through(const GradientContext& g);

/// The number that every element of `value` is, if it is known while the graph is built.
std::optional<double> known_number(const Value& value);
/// Whether `value` is known to be `number` everywhere; tells 0 from -0.
bool is_number(const Value& value, double number);
/// Input `i`, provided that it has the type of the node's output: what rules like x * 1 = x need.
std::optional<Value> input_if_same_type(const RewriteContext& context, std::size_t i);
/// The input of `value`'s node if that node is a use of `op`.
std::optional<Value> input_of(const Value& value, const Op& op);

/// An array whose element at each index is f(index): references in samples.
SampleArray array_of(Extents shape, const std::function<double(std::span<const std::int64_t>)>& f);
/// The element of `x` at `index`.
double element(const SampleArray& x, std::span<const std::int64_t> index);

/// Samples of an op with one float input and a reference for an element: f32 of any length, f64, and a scalar.
std::vector<Sample> unary_samples(double (*reference)(double), double low, double high, double tolerance = 1e-5);
/// That a float op refuses integers, and one argument too many.
std::vector<BadSample> float_bad_samples();

}  // namespace lathe
