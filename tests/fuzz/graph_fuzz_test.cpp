// Graphs made at random: what fusion, schedules and LLVM make of them must have the bits that the interpreter gets from
// one kernel a node.
#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/lathe.h>

using namespace lathe;

namespace {

/// What an op makes of a value; nothing if it does not apply.
using Step = std::function<std::optional<Value>(const Value&)>;

class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {
    const int count = 1 + below(3);
    for (int i = 0; i < count; ++i) add_input();
    values_ = inputs;
    const std::vector<Step> steps = all_steps();
    const int most = 4 + below(14);
    for (int i = 0; i < most; ++i) {
      const std::optional<Value> made = steps[static_cast<std::size_t>(below(static_cast<int>(steps.size())))](any());
      if (made && most_elements(*made) <= largest) values_.push_back(*made);
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(values_.size(), 4); ++i) {
      outputs.push_back(values_[values_.size() - 1 - i]);
    }
    if (below(2) == 0) return;
    for (const Value& slope : gradients({sum(values_.back())}, inputs)) outputs.push_back(slope);
  }

  Graph graph;
  Values inputs;
  Values outputs;
  std::vector<Tensor> feeds;

 private:
  static constexpr std::int64_t largest = 100'000;
  static constexpr std::int64_t symbolic = 12;  // what the one symbol stands for

  int below(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  Value any() { return values_[static_cast<std::size_t>(below(static_cast<int>(values_.size())))]; }

  static std::int64_t size_of(const Dim& dim) { return dim.as_constant().value_or(symbolic); }
  static std::int64_t most_elements(const Value& x) {
    const Shape shape = x.shape();
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1},
                           [](std::int64_t product, const Dim& dim) { return product * size_of(dim); });
  }
  static int rank(const Value& x) { return static_cast<int>(x.shape().size()); }
  std::optional<std::int64_t> axis_of(const Value& x) {
    return rank(x) > 0 ? std::optional<std::int64_t>(below(rank(x))) : std::nullopt;
  }

  void add_input() {
    static constexpr std::int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 28, 33, 64};
    const int axes = 1 + below(4);
    const int symbol = below(3) == 0 ? below(axes) : -1;
    Shape shape;
    Extents extents;
    std::int64_t elements = 1;
    for (int axis = 0; axis < axes; ++axis) {
      std::int64_t size = axis == symbol ? symbolic : sizes[below(std::size(sizes))];
      if (axis != symbol && elements * size > 10'000) size = 2;
      elements *= size;
      extents.push_back(size);
      shape.push_back(axis == symbol ? dim("graph_fuzz_n") : Dim(size));
    }
    inputs.push_back(placeholder(graph, fmt::format("x{}", inputs.size()), f32, shape));
    Tensor& feed = feeds.emplace_back(f32, extents);
    for (float& element : feed.data<float>()) element = static_cast<float>(below(4001) - 2000) / 1000;
  }

  std::vector<Step> all_steps() {
    return {
        [](const Value& x) { return tanh(x); },
        [](const Value& x) { return sin(x * 3.0F) + cos(x * 2e9F); },
        [](const Value& x) { return x * 1.5F + 0.25F; },
        [](const Value& x) { return relu(x); },
        [](const Value& x) { return select(greater(x, 0.2F), tanh(x) * x, x * 0.1F); },
        [this](const Value& x) { return x + any(); },
        [this](const Value& x) { return x * any(); },
        [this](const Value& x) { return reduced(x); },
        [this](const Value& x) { return normalised(x); },
        [this](const Value& x) { return permuted(x); },
        [this](const Value& x) { return split(x); },
        [this](const Value& x) { return joined(x); },
        [this](const Value& x) { return sliced(x); },
        [this](const Value& x) { return padded(x); },
        [this](const Value& x) { return concatenated(x); },
        [this](const Value& x) { return repeated(x); },
        [this](const Value& x) { return multiplied(x); },
        [this](const Value& x) { return pooled(x); },
        [this](const Value& x) { return convolved(x); },
    };
  }

  std::optional<Value> reduced(const Value& x) {
    const auto first = axis_of(x);
    if (!first) return std::nullopt;
    std::vector<std::int64_t> axes = {*first};
    if (const auto second = axis_of(x); *second != *first && below(2) == 0) axes.push_back(*second);
    std::sort(axes.begin(), axes.end());
    const bool keep = below(2) == 0;
    if (below(3) == 0) return x - reduce_max(x, axes, true);
    return sum(x, axes, keep);
  }

  std::optional<Value> normalised(const Value& x) {
    const auto axis = axis_of(x);
    if (!axis) return std::nullopt;
    const Value distance = x - mean(x, {*axis}, true);
    return distance * rsqrt(mean(square(distance), {*axis}, true) + 1e-3F);
  }

  std::optional<Value> permuted(const Value& x) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(rank(x)));
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[static_cast<std::size_t>(below(static_cast<int>(i)))]);
    }
    return transpose(x, order);
  }

  std::optional<Value> split(const Value& x) {
    const auto axis = axis_of(x);
    if (!axis) return std::nullopt;
    const std::int64_t size = size_of(x.shape()[static_cast<std::size_t>(*axis)]);
    for (const std::int64_t part : {2, 3, 4, 7, 8}) {
      if (!x.shape()[static_cast<std::size_t>(*axis)].is_constant() || size % part != 0 || size == part) continue;
      Shape shape = x.shape();
      const bool inside = below(2) == 0;
      shape[static_cast<std::size_t>(*axis)] = inside ? size / part : part;
      shape.insert(shape.begin() + *axis + 1, Dim(inside ? part : size / part));
      return reshape(x, shape);
    }
    return std::nullopt;
  }

  std::optional<Value> joined(const Value& x) {
    if (rank(x) < 2) return std::nullopt;
    Shape shape = x.shape();
    const auto axis = static_cast<std::size_t>(below(rank(x) - 1));
    shape[axis] = shape[axis] * shape[axis + 1];
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
    return reshape(x, shape);
  }

  std::optional<Value> sliced(const Value& x) {
    const auto axis = axis_of(x);
    if (!axis || size_of(x.shape()[static_cast<std::size_t>(*axis)]) < 3) return std::nullopt;
    std::vector<Range> ranges(static_cast<std::size_t>(rank(x)));
    const std::int64_t step = 1 + below(5);
    ranges[static_cast<std::size_t>(*axis)] = below(3) == 0 ? Range{{}, {}, -step} : Range{below(2), {}, step};
    return slice(x, ranges);
  }

  std::optional<Value> padded(const Value& x) {
    const auto axis = axis_of(x);
    if (!axis) return std::nullopt;
    Shape before(static_cast<std::size_t>(rank(x)), Dim(0));
    Shape after = before;
    before[static_cast<std::size_t>(*axis)] = below(3);
    after[static_cast<std::size_t>(*axis)] = below(4);
    return pad(x, before, after);
  }

  std::optional<Value> concatenated(const Value& x) {
    const auto axis = axis_of(x);
    if (!axis) return std::nullopt;
    const Value other = below(2) == 0 ? x * 0.5F : tanh(x) * x + sin(x) * 0.25F;
    return concat({x, other}, *axis);
  }

  std::optional<Value> repeated(const Value& x) {
    if (rank(x) != 2) return std::nullopt;
    const Shape shape = x.shape();
    return reshape(broadcast_to(reshape(x, {shape[0], 1, shape[1]}), {shape[0], 3, shape[1]}),
                   {shape[0] * Dim(3), shape[1]});
  }

  std::optional<Value> multiplied(const Value& x) {
    if (rank(x) != 2) return std::nullopt;
    return below(2) == 0 ? matmul(x, x, {.transpose_a = true}) : matmul(x, x, {.transpose_b = true});
  }

  bool is_image(const Value& x) const {
    return rank(x) == 4 && size_of(x.shape()[1]) >= 3 && size_of(x.shape()[2]) >= 3 && x.shape()[3].is_constant();
  }

  std::optional<Value> pooled(const Value& x) {
    if (!is_image(x)) return std::nullopt;
    const std::int64_t stride = 1 + below(2);
    return below(2) == 0 ? max_pool2d(x, 2, {.strides = stride}) : avg_pool2d(x, 2, {.strides = stride});
  }

  std::optional<Value> convolved(const Value& x) {
    if (!is_image(x) || size_of(x.shape()[3]) > 8) return std::nullopt;
    const std::int64_t channels = size_of(x.shape()[3]);
    const std::int64_t outputs = 1 + below(20);
    Tensor kernel(f32, {3, 3, channels, outputs});
    for (float& element : kernel.data<float>()) element = static_cast<float>(below(2001) - 1000) / 1000;
    return conv2d(x, constant(graph, kernel), {.strides = 1 + below(2), .padding = Padding::same});
  }

  std::mt19937 random_;
  Values values_;
};

/// The outputs, or nothing if the graph asks for sizes that the feeds do not have.
std::optional<std::vector<Tensor>> run(RandomGraph& made, const SessionOptions& options, bool may_refuse) {
  Session session(made.graph, options);
  Callable call = session.prepare(made.outputs, made.inputs);
  const std::vector<TensorView> feeds(made.feeds.begin(), made.feeds.end());
  try {
    const std::span<const Tensor> results = call(std::span<const TensorView>(feeds));
    return std::vector<Tensor>(results.begin(), results.end());
  } catch (const RunError&) {
    if (!may_refuse) throw;
    return std::nullopt;
  }
}

std::string difference(const Tensor& expected, const Tensor& found) {
  if (expected.shape() != found.shape()) return "another shape";
  const auto a = expected.data<float>();
  const auto b = found.data<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = a[i] != a[i] && b[i] != b[i];
    if (!both_nan && std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return fmt::format("element {} is {} instead of {}", i, b[i], a[i]);
    }
  }
  return "";
}

}  // namespace

TEST_CASE("compiled graphs have the bits of one kernel a node in the interpreter") {
  constexpr unsigned graphs = 250;
  unsigned compared = 0;
  for (unsigned seed = 0; seed < graphs; ++seed) {
    CAPTURE(seed);
    std::optional<RandomGraph> made;
    try {
      made.emplace(seed);
    } catch (const GraphError&) {
      continue;  // shapes that do not go together
    }
    const auto expected = run(*made, {.threads = 1, .fuse = false, .interpret = true}, true);
    if (!expected) continue;
    ++compared;
    const SessionOptions ways[] = {{.threads = 1, .interpret = true}, {.threads = 1}, {.threads = 2}};
    for (const SessionOptions& options : ways) {
      CAPTURE(options.threads);
      CAPTURE(options.interpret);
      const auto found = run(*made, options, false);
      for (std::size_t i = 0; i < expected->size(); ++i) {
        CAPTURE(i);
        CHECK(difference((*expected)[i], (*found)[i]) == "");
      }
    }
  }
  CHECK(compared > graphs / 3);
}
