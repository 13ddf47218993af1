#include <lathe/ops/rules.h>

#include <bit>

#include <fmt/format.h>

#include <lathe/ops/source.h>

namespace lathe {
namespace {

void require(const InferContext& context, std::size_t i, bool holds, std::string_view wanted) {
  if (holds) return;
  context.fail(fmt::format("wants {}, and input {} is {}: cast it first", wanted, i, to_string(context.in(i))));
}

}  // namespace

InferredTypes same_as_input(const InferContext& context) {
  return {context.in(0)};
}

InferredTypes float_like_input(const InferContext& context) {
  require_float(context, 0);
  return {context.in(0)};
}

InferredTypes number_like_input(const InferContext& context) {
  require_number(context, 0);
  return {context.in(0)};
}

InferredTypes bool_like_input(const InferContext& context) {
  require_bool(context, 0);
  return {context.in(0)};
}

void require_float(const InferContext& context, std::size_t i) {
  require(context, i, is_float(context.in(i).dtype), "f32 or f64");
}

void require_number(const InferContext& context, std::size_t i) {
  require(context, i, context.in(i).dtype != DType::boolean, "numbers");
}

void require_bool(const InferContext& context, std::size_t i) {
  require(context, i, context.in(i).dtype == DType::boolean, "bools");
}

void require_same_dtype(const InferContext& context, std::size_t i, std::size_t j) {
  if (context.in(i).dtype == context.in(j).dtype) return;
  context.fail(fmt::format("dtypes differ: {} and {}; cast one of them, nothing is cast implicitly",
                           to_string(context.in(i)), to_string(context.in(j))));
}

Values no_inputs(const GradientContext&) {
  return {};
}

Values no_flow(const GradientContext& g) {
  return Values(g.node().inputs.size());
}

Values pass_through(const GradientContext& g) {
  return {g.dy()};
}

std::optional<double> known_number(const Value& value) {
  const Node& node = value.node();
  if (node.op == &op::fill) return node.attributes.get<double>("value");
  if (node.op != &op::constant) return std::nullopt;
  const auto& tensor = *node.attributes.get<std::shared_ptr<const Tensor>>("value");
  if (tensor.size() == 0) return std::nullopt;
  const auto bits = [&](std::int64_t i) { return std::bit_cast<std::uint64_t>(tensor.at(i)); };
  for (std::int64_t i = 1; i < tensor.size(); ++i) {
    if (bits(i) != bits(0)) return std::nullopt;
  }
  return tensor.at(0);
}

bool is_number(const Value& value, double number) {
  const auto known = known_number(value);
  return known && std::bit_cast<std::uint64_t>(*known) == std::bit_cast<std::uint64_t>(number);
}

std::optional<Value> input_if_same_type(const RewriteContext& context, std::size_t i) {
  const Value& input = context.inputs[i];
  return input.type() == context.outputs[0] ? std::optional(input) : std::nullopt;
}

std::optional<Value> input_of(const Value& value, const Op& op) {
  const Node& node = value.node();
  if (node.op != &op || !node.control.empty()) return std::nullopt;
  return Value(value.graph(), node.inputs[0]);
}

SampleArray array_of(Extents shape, const std::function<double(std::span<const std::int64_t>)>& f) {
  SampleArray out{shape, {}};
  std::vector<std::int64_t> index(shape.size(), 0);
  for (std::int64_t flat = 0; flat < element_count(shape); ++flat) {
    std::int64_t rest = flat;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      index[axis] = rest % shape[axis];
      rest /= shape[axis];
    }
    out.data.push_back(f(index));
  }
  return out;
}

double element(const SampleArray& x, std::span<const std::int64_t> index) {
  std::int64_t flat = 0;
  for (std::size_t axis = 0; axis < x.shape.size(); ++axis) flat = flat * x.shape[axis] + index[axis];
  return x.data.at(static_cast<std::size_t>(flat));
}

std::vector<Sample> unary_samples(double (*reference)(double), double low, double high, double tolerance) {
  const auto element = [reference](std::span<const double> x) { return reference(x[0]); };
  const auto sample = [&](DType dtype, Shape shape) {
    return Sample{.in = {{.dtype = dtype, .shape = std::move(shape), .low = low, .high = high}},
                  .scalar = element,
                  .tolerance = tolerance};
  };
  return {sample(DType::f32, {dim("n")}), sample(DType::f64, {2, dim("n")}), sample(DType::f32, {})};
}

std::vector<BadSample> float_bad_samples() {
  return {{.in = {{DType::i32, {2}}}, .error = "wants f32 or f64, and input 0 is i32 [2]: cast it first"},
          {.in = {{DType::f32, {2}}, {DType::f32, {2}}}, .error = "takes 1 input, 2 given"}};
}

}  // namespace lathe
