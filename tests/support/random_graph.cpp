#include "random_graph.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <numeric>

#include <fmt/format.h>

#include "sanitized.h"

namespace lathe::test {
namespace {

constexpr std::int64_t symbol_size = 12;  // what the one symbol stands for, at first
constexpr std::int64_t most_elements = 50'000;

std::int64_t size_of(const Dim& dim) {
  return dim.as_constant().value_or(symbol_size);
}

std::int64_t element_count_of(const Value& x) {
  const Shape shape = x.shape();
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1},
                         [](std::int64_t product, const Dim& dim) { return product * size_of(dim); });
}

int rank(const Value& x) {
  return static_cast<int>(x.shape().size());
}

Dim extent_of(const Value& x, std::int64_t axis) {
  return x.shape()[static_cast<std::size_t>(axis)];
}

/// The value in a float dtype.
Value floats(const Value& x) {
  return is_float(x.dtype()) ? x : cast(x, f32) * 0.125F;
}

/// `y` in the dtype of `x`.
Value like(const Value& x, const Value& y) {
  return cast(floats(y), x.dtype());
}

}  // namespace

std::ranges::iota_view<unsigned, unsigned> random_graph_seeds(unsigned count) {
  const char* set = std::getenv("LATHE_FUZZ_SEED");
  const unsigned first = set ? static_cast<unsigned>(std::stoul(set)) : 0;
  return {first, first + (is_sanitized ? count / 3 : count)};
}

RandomGraph::RandomGraph(unsigned seed) : RandomGraph(seed, nullptr, true) {}

RandomGraph::RandomGraph(unsigned seed, eager::Context& context) : RandomGraph(seed, &context, false) {}

RandomGraph RandomGraph::without_symbols(unsigned seed) {
  return {seed, nullptr, false};
}

RandomGraph::RandomGraph(unsigned seed, eager::Context* context, bool with_symbols)
    : random_(seed),
      own_graph_(context ? nullptr : std::make_unique<Graph>()),
      graph_(context ? &context->graph() : own_graph_.get()),
      context_(context),
      tape_(context ? std::make_unique<eager::GradientTape>(*context) : nullptr),
      with_symbols_(with_symbols) {
  static constexpr std::int64_t other_sizes[] = {0, 1, 3, 17, 40};
  other_size_ = other_sizes[below(std::size(other_sizes))];
  const int input_count = 1 + below(3);
  for (int i = 0; i < input_count; ++i) add_input();
  values_ = inputs;
  if (chance(2)) values_.push_back(weights(f32, {size(), size()}));
  const std::vector<NamedStep> steps = all_steps();
  const int most = 4 + below(16);
  for (int i = 0; i < most; ++i) {
    const NamedStep& step = steps[static_cast<std::size_t>(below(static_cast<int>(steps.size())))];
    try {
      const std::optional<Value> made = step.make(any());
      if (!made || element_count_of(*made) > most_elements) continue;
      values_.push_back(*made);
      steps_ += fmt::format("{} ", step.name);
    } catch (const GraphError&) {
      // Shapes or dtypes that do not go together.
    }
  }
  add_outputs();
  if (!chance(3)) add_gradients();
}

std::optional<std::int64_t> RandomGraph::axis_of(const Value& x) {
  return rank(x) > 0 ? std::optional<std::int64_t>(below(rank(x))) : std::nullopt;
}

std::int64_t RandomGraph::size() {
  static constexpr std::int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 10, 12, 16, 17, 20, 28, 33, 48, 64, 65, 100, 128, 257};
  return sizes[below(std::size(sizes))];
}

Tensor RandomGraph::filled(DType dtype, const Extents& extents) {
  Tensor out(dtype, extents);
  const auto real = [&] { return (below(4001) - 2000) / 1000.0; };
  switch (dtype) {
    case DType::f32: std::ranges::generate(out.data<float>(), [&] { return static_cast<float>(real()); }); break;
    case DType::f64: std::ranges::generate(out.data<double>(), real); break;
    case DType::i64: std::ranges::generate(out.data<std::int64_t>(), [&] { return below(9); }); break;
    case DType::i32: std::ranges::generate(out.data<std::int32_t>(), [&] { return below(2001) - 1000; }); break;
    case DType::u8:
      std::ranges::generate(out.data<std::uint8_t>(), [&] { return static_cast<std::uint8_t>(below(256)); });
      break;
    case DType::boolean: std::ranges::generate(out.data<bool>(), [&] { return chance(2); }); break;
  }
  return out;
}

Value RandomGraph::known(DType dtype, const Extents& extents) {
  return constant(*graph_, filled(dtype, extents));
}

/// A variable, or the array that stands for it.
Value RandomGraph::weights(DType dtype, const Extents& extents) {
  Tensor start = filled(dtype, extents);
  if (context_) {
    weights_.push_back(context_->array(start));
    tape_->watch(weights_.back());
  } else {
    variables_.push_back(variable(*graph_, fmt::format("v{}", variables_.size()), std::move(start)));
    weights_.push_back(variables_.back());
  }
  return weights_.back();
}

void RandomGraph::add_input() {
  const int axes = 1 + below(4);
  const int symbol = below(3) == 0 && with_symbols_ ? below(axes) : -1;
  Shape shape;
  Extents extents;
  Extents others;
  std::int64_t elements = 1;
  for (int axis = 0; axis < axes; ++axis) {
    std::int64_t extent = axis == symbol ? symbol_size : size();
    if (axis != symbol && elements * extent > most_elements / 4) extent = 2;
    elements *= extent;
    extents.push_back(extent);
    others.push_back(axis == symbol ? other_size_ : extent);
    shape.push_back(axis == symbol ? dim("random_graph_n") : Dim(extent));
  }
  static constexpr DType dtypes[] = {f32, f32, f32, f32, f32, f32, f64, i64, i32, u8};
  const DType dtype = dtypes[below(std::size(dtypes))];
  feeds.push_back(filled(dtype, extents));
  other_feeds.push_back(filled(dtype, others));
  if (context_) {
    inputs.push_back(context_->array(feeds.back()));
    if (is_float(dtype)) tape_->watch(inputs.back());
  } else {
    inputs.push_back(placeholder(*graph_, fmt::format("x{}", inputs.size()), dtype, shape));
  }
}

void RandomGraph::add_outputs() {
  for (std::size_t i = 0; i < std::min<std::size_t>(values_.size(), 4); ++i) {
    outputs.push_back(values_[values_.size() - 1 - i]);
  }
}

/// Of the last value of floats, with respect to inputs and weights; in a graph with symbols weights follow theirs.
void RandomGraph::add_gradients() {
  const auto last = std::find_if(values_.rbegin(), values_.rend(), [](const Value& x) { return is_float(x.dtype()); });
  if (last == values_.rend()) return;
  Values sources;
  for (const Values* from : {&inputs, &weights_}) {
    std::ranges::copy_if(*from, std::back_inserter(sources),
                         [&](const Value& x) { return x.dtype() == last->dtype(); });
  }
  if (sources.empty()) return;
  const Value total = sum(*last);
  const Values slopes = context_ ? tape_->gradient(total, sources) : gradients({total}, sources);
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    outputs.push_back(slopes[i]);
    for (const Variable& variable : variables_) {
      if (!with_symbols_ || variable.value.id() != sources[i].id()) continue;
      outputs.push_back(assign(variable, variable.value * 0.9F - clip(slopes[i], -1.0F, 1.0F) * 0.01F));
    }
  }
}

std::vector<RandomGraph::NamedStep> RandomGraph::all_steps() {
  std::vector<NamedStep> steps;
  add_elementwise(steps);
  add_binary(steps);
  add_moves(steps);
  add_reductions(steps);
  add_contractions(steps);
  add_indices(steps);
  if (with_symbols_) add_random(steps);
  return steps;
}

void RandomGraph::add_elementwise(std::vector<NamedStep>& steps) {
  const auto add = [&](const char* name, Value (*make)(const Value&)) {
    steps.push_back({name, [make](const Value& x) { return make(floats(x)); }});
  };
  add("tanh", [](const Value& x) { return tanh(x); });
  add("waves", [](const Value& x) { return sin(x * 3.0F) + cos(x * 2e9F); });
  add("affine", [](const Value& x) { return x * 1.5F + 0.25F; });
  add("relu", [](const Value& x) { return relu(x); });
  add("exp", [](const Value& x) { return exp(clip(x, -8.0F, 8.0F)); });
  add("expm1", [](const Value& x) { return expm1(minimum(x, 3.0F)); });
  add("log", [](const Value& x) { return log(abs(x) + 0.5F); });
  add("log1p", [](const Value& x) { return log1p(square(x)); });
  add("erf", [](const Value& x) { return erf(x) * 0.5F; });
  add("swish", [](const Value& x) { return sigmoid(x) * x; });
  add("softplus", [](const Value& x) { return softplus(x); });
  add("rsqrt", [](const Value& x) { return rsqrt(abs(x) + 1.0F); });
  add("pow", [](const Value& x) { return pow(abs(x) + 0.1F, 1.7F); });
  add("select", [](const Value& x) { return select(greater(x, 0.2F), tanh(x) * x, x * 0.1F); });
  steps.push_back({"cast", [this](const Value& x) {
                     if (!is_float(x.dtype())) return cast(x, f32);
                     static constexpr DType dtypes[] = {f32, f64, i32, i64};
                     return cast(x, dtypes[below(std::size(dtypes))]);
                   }});
  steps.push_back({"whole", [this](const Value& x) -> std::optional<Value> {
                     if (is_float(x.dtype()) || x.dtype() == boolean) return std::nullopt;
                     return chance(2) ? x % 3 : floor_div(x, 2);
                   }});
}

void RandomGraph::add_binary(std::vector<NamedStep>& steps) {
  const auto add = [&](const char* name, Value (*make)(const Value&, const Value&)) {
    steps.push_back({name, [this, make](const Value& x) {
                       const Value y = any();
                       return x.dtype() == y.dtype() && x.dtype() != boolean ? make(x, y)
                                                                             : make(floats(x), like(floats(x), y));
                     }});
  };
  add("add", [](const Value& x, const Value& y) { return x + y; });
  add("mul", [](const Value& x, const Value& y) { return x * y; });
  add("max", [](const Value& x, const Value& y) { return maximum(x, y); });
  add("div", [](const Value& x, const Value& y) { return floats(x) / (abs(like(floats(x), y)) + 1.0F); });
  add("choose", [](const Value& x, const Value& y) { return select(less(floats(y), 0.1F), x, -x); });
}

void RandomGraph::add_moves(std::vector<NamedStep>& steps) {
  for (int twice = 0; twice < 2; ++twice) steps.push_back({"permute", [this](const Value& x) { return permuted(x); }});
  steps.push_back({"split", [this](const Value& x) { return split(x); }});
  steps.push_back({"join", [this](const Value& x) { return joined(x); }});
  steps.push_back({"slice", [this](const Value& x) { return sliced(x); }});
  steps.push_back({"pad", [this](const Value& x) { return padded(x); }});
  steps.push_back({"concat", [this](const Value& x) { return concatenated(x); }});
  steps.push_back({"expand", [this](const Value& x) -> std::optional<Value> {
                     if (rank(x) < 1 || rank(x) > 3) return std::nullopt;
                     return expand_dims(x, below(rank(x) + 1));
                   }});
  steps.push_back({"repeat", [](const Value& x) -> std::optional<Value> {
                     if (rank(x) != 2) return std::nullopt;
                     const Shape shape = x.shape();
                     const Value copies = broadcast_to(expand_dims(x, 1), {shape[0], 3, shape[1]});
                     return reshape(copies, {shape[0] * Dim(3), shape[1]});
                   }});
}

void RandomGraph::add_reductions(std::vector<NamedStep>& steps) {
  const auto add = [&](const char* name, std::function<Value(const Value&, std::int64_t)> make) {
    steps.push_back({name, [this, make = std::move(make)](const Value& x) -> std::optional<Value> {
                       const auto axis = axis_of(x);
                       if (!axis) return std::nullopt;
                       return make(floats(x), *axis);
                     }});
  };
  for (int twice = 0; twice < 2; ++twice) steps.push_back({"reduce", [this](const Value& x) { return reduced(x); }});
  add("softmax", [](const Value& x, std::int64_t axis) { return softmax(x, axis); });
  add("log_softmax", [](const Value& x, std::int64_t axis) { return log_softmax(x, axis); });
  add("logsumexp", [](const Value& x, std::int64_t axis) { return logsumexp(x, {axis}); });
  add("below_max", [](const Value& x, std::int64_t axis) { return reduce_max(x, {axis}, true) - x; });
  add("prod", [](const Value& x, std::int64_t axis) { return prod(clip(x, -1.1F, 1.1F), {axis}); });
  add("normalise", [](const Value& x, std::int64_t axis) {
    const Value distance = x - mean(x, {axis}, true);
    return distance * rsqrt(mean(square(distance), {axis}, true) + 1e-3F);
  });
}

void RandomGraph::add_contractions(std::vector<NamedStep>& steps) {
  for (int often = 0; often < 3; ++often) {
    steps.push_back({"matmul", [this](const Value& x) { return multiplied(x); }});
  }
  for (int twice = 0; twice < 2; ++twice) steps.push_back({"conv", [this](const Value& x) { return convolved(x); }});
  steps.push_back({"pool", [this](const Value& x) { return pooled(x); }});
  steps.push_back({"sum_of_products", [this](const Value& x) -> std::optional<Value> {
                     const Value products = floats(x) * like(floats(x), any());
                     const auto axis = axis_of(products);
                     if (!axis || element_count_of(products) > 4 * most_elements) return std::nullopt;
                     return sum(products, {*axis});
                   }});
}

void RandomGraph::add_indices(std::vector<NamedStep>& steps) {
  for (int twice = 0; twice < 2; ++twice) steps.push_back({"gather", [this](const Value& x) { return gathered(x); }});
  steps.push_back({"scatter", [this](const Value& x) { return scattered(x); }});
  steps.push_back({"argmax", [this](const Value& x) -> std::optional<Value> {
                     const auto axis = axis_of(x);
                     if (!axis) return std::nullopt;
                     return chance(2) ? argmax(floats(x), *axis, chance(2)) : argmin(floats(x), *axis, chance(2));
                   }});
  steps.push_back({"one_hot", [](const Value& x) -> std::optional<Value> {
                     if (x.dtype() != i64 || rank(x) > 2) return std::nullopt;
                     return one_hot(x, 9);
                   }});
  steps.push_back({"cross_entropy", [](const Value& x) -> std::optional<Value> {
                     if (rank(x) != 2) return std::nullopt;
                     return sparse_softmax_cross_entropy(argmin(floats(x), 1), floats(x));
                   }});
}

void RandomGraph::add_random(std::vector<NamedStep>& steps) {
  steps.push_back({"dropout", [](const Value& x) { return dropout(floats(x), 0.3); }});
  steps.push_back({"noise", [this](const Value& x) {
                     const RandomOptions options{.dtype = floats(x).dtype()};
                     switch (below(3)) {
                       case 0: return floats(x) + random_uniform(*graph_, x.shape(), 0, 1, options);
                       case 1: return floats(x) + random_normal(*graph_, x.shape(), 0, 1, options);
                       default: return floats(x) + random_truncated_normal(*graph_, x.shape(), 0, 1, options);
                     }
                   }});
}

std::optional<Value> RandomGraph::reduced(const Value& x) {
  const auto first = axis_of(x);
  if (!first) return std::nullopt;
  std::vector<std::int64_t> axes = {*first};
  if (const auto second = axis_of(x); *second != *first && chance(2)) axes.push_back(*second);
  const bool keep = chance(2);
  if (x.dtype() == boolean) return chance(2) ? lathe::any(x, axes, keep) : all(x, axes, keep);
  switch (below(4)) {
    case 0: return reduce_max(x, axes, keep);
    case 1: return reduce_min(x, axes, keep);
    case 2: return mean(floats(x), axes, keep);
    default: return sum(x, axes, keep);
  }
}

std::optional<Value> RandomGraph::permuted(const Value& x) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(rank(x)));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<std::size_t>(below(static_cast<int>(i)))]);
  }
  return transpose(x, order);
}

std::optional<Value> RandomGraph::split(const Value& x) {
  const auto axis = axis_of(x);
  if (!axis || !extent_of(x, *axis).is_constant()) return std::nullopt;
  const std::int64_t extent = extent_of(x, *axis).constant();
  for (const std::int64_t part : {2, 3, 4, 5, 7, 8}) {
    if (extent % part != 0 || extent == part || chance(3)) continue;
    Shape shape = x.shape();
    const bool inside = chance(2);
    shape[static_cast<std::size_t>(*axis)] = inside ? extent / part : part;
    shape.insert(shape.begin() + *axis + 1, Dim(inside ? part : extent / part));
    return reshape(x, shape);
  }
  return std::nullopt;
}

std::optional<Value> RandomGraph::joined(const Value& x) {
  if (rank(x) < 2) return std::nullopt;
  Shape shape = x.shape();
  const auto axis = static_cast<std::size_t>(below(rank(x) - 1));
  shape[axis] = shape[axis] * shape[axis + 1];
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
  return reshape(x, shape);
}

std::optional<Value> RandomGraph::sliced(const Value& x) {
  const auto axis = axis_of(x);
  if (!axis) return std::nullopt;
  std::vector<Range> ranges(static_cast<std::size_t>(rank(x)));
  const std::int64_t step = 1 + below(5);
  ranges[static_cast<std::size_t>(*axis)] = chance(3) ? Range{{}, {}, -step} : Range{below(3), {}, step};
  return slice(x, ranges);
}

std::optional<Value> RandomGraph::padded(const Value& x) {
  const auto axis = axis_of(x);
  if (!axis) return std::nullopt;
  Shape low(static_cast<std::size_t>(rank(x)), Dim(0));
  Shape high = low;
  low[static_cast<std::size_t>(*axis)] = below(3);
  high[static_cast<std::size_t>(*axis)] = below(4);
  return pad(x, low, high);
}

std::optional<Value> RandomGraph::concatenated(const Value& x) {
  const auto axis = axis_of(x);
  if (!axis) return std::nullopt;
  const Value y = any();
  if (y.dtype() == x.dtype() && chance(2)) return concat({x, y}, *axis);
  return concat({floats(x), chance(2) ? floats(x) * 0.5F : tanh(floats(x)) + sin(floats(x)) * 0.25F}, *axis);
}

std::optional<Value> RandomGraph::multiplied(const Value& x) {
  const Value a = floats(x);
  if (rank(a) < 2) return std::nullopt;
  const MatmulOptions options{.transpose_a = chance(3), .transpose_b = chance(2)};
  if (chance(3)) return matmul(a, a, {.transpose_a = options.transpose_a, .transpose_b = !options.transpose_a});
  if (chance(3)) return matmul(a, like(a, any()), options);
  const auto length = extent_of(a, rank(a) - (options.transpose_a ? 2 : 1)).as_constant();
  const std::int64_t columns = size();
  if (!length || *length * columns > most_elements) return std::nullopt;
  const Extents extents = options.transpose_b ? Extents{columns, *length} : Extents{*length, columns};
  const Value product = matmul(a, chance(2) ? weights(a.dtype(), extents) : known(a.dtype(), extents), options);
  return chance(2) ? product : relu(product + known(a.dtype(), {columns}));
}

std::optional<Value> RandomGraph::pooled(const Value& x) {
  if (rank(x) != 4) return std::nullopt;
  const PoolOptions options{.strides = 1 + below(3), .padding = chance(2) ? Padding::same : Padding::valid};
  const std::int64_t window = 1 + below(3);
  return chance(2) ? max_pool2d(floats(x), window, options) : avg_pool2d(floats(x), window, options);
}

std::optional<Value> RandomGraph::convolved(const Value& x) {
  const Value image = rank(x) == 3 ? expand_dims(floats(x), chance(2) ? 3 : 0) : floats(x);
  if (rank(image) != 4 || !extent_of(image, 3).is_constant()) return std::nullopt;
  const std::int64_t channels = extent_of(image, 3).constant();
  const std::int64_t groups = channels > 0 && channels % 4 == 0 && chance(3) ? 4 : chance(4) ? channels : 1;
  const std::int64_t filters = groups * (1 + below(groups > 1 ? 3 : 40));
  const Extents extents = {1 + below(3), 1 + below(3), groups > 0 ? channels / groups : 0, filters};
  if (channels > 64 || element_count(extents) > most_elements / 2) return std::nullopt;
  const Value kernel = chance(2) ? weights(image.dtype(), extents) : known(image.dtype(), extents);
  return conv2d(image, kernel,
                {.strides = 1 + below(2),
                 .padding = chance(2) ? Padding::same : Padding::valid,
                 .dilations = chance(4) ? 2 : 1,
                 .groups = groups});
}

std::optional<Value> RandomGraph::gathered(const Value& x) {
  const auto axis = axis_of(x);
  Value indices = any();
  if (!axis || rank(indices) < 1) return std::nullopt;
  if (indices.dtype() != i64 && indices.dtype() != i32) indices = argmax(floats(indices), below(rank(indices)));
  const std::int64_t extent = extent_of(x, *axis).as_constant().value_or(0);
  if (extent == 0 || rank(indices) + rank(x) > 5) return std::nullopt;
  return gather(x, indices % extent, *axis);
}

std::optional<Value> RandomGraph::scattered(const Value& x) {
  if (rank(x) < 2 || x.dtype() == boolean) return std::nullopt;
  Value indices = argmax(floats(x), 1);
  while (rank(indices) > 1) indices = reduce_max(indices, {1});
  Shape shape = x.shape();
  shape[0] = 1 + below(9);
  const Value base = broadcast_to(cast(constant(*graph_, 0.5F), x.dtype()), shape);
  return scatter_add(base, indices % shape[0].constant(), x);
}

}  // namespace lathe::test
