#include <lathe/runtime/feed_check.h>

#include <algorithm>
#include <bit>
#include <optional>

#include <fmt/format.h>

namespace lathe {
namespace {

/// The one unbound symbol that `dim` is linear in, as extent = coefficient * symbol + rest.
struct Linear {
  SymbolId symbol;
  std::int64_t coefficient = 0;
  std::int64_t rest = 0;
};

/// Nothing if no symbol is unbound, if two are, or if one occurs in a power. Numbers so large that they leave 64 bits
/// are left to the check of the whole extent, which reports them.
std::optional<Linear> linear_in_one_unknown(const Dim& dim, const Bindings& bindings) {
  std::optional<SymbolId> unknown;
  Linear linear{};
  for (const Dim::Term& term : dim.terms()) {
    std::int64_t product = term.coefficient;
    int unknown_factors = 0;
    bool overflow = false;
    for (const SymbolId factor : term.factors) {
      if (const auto number = bindings.find(factor)) {
        overflow |= __builtin_mul_overflow(product, *number, &product);
        continue;
      }
      if (unknown && *unknown != factor) return std::nullopt;
      unknown = factor;
      ++unknown_factors;
    }
    if (unknown_factors > 1 || overflow) return std::nullopt;
    std::int64_t& sum = unknown_factors == 1 ? linear.coefficient : linear.rest;
    if (__builtin_add_overflow(sum, product, &sum)) return std::nullopt;
  }
  if (!unknown || linear.coefficient == 0) return std::nullopt;
  linear.symbol = *unknown;
  return linear;
}

std::optional<SymbolId> unbound(const Dim& dim, const Bindings& bindings) {
  for (const Dim::Term& term : dim.terms()) {
    for (const SymbolId factor : term.factors) {
      if (!bindings.find(factor)) return factor;
    }
  }
  return std::nullopt;
}

std::string extents_of(const TensorView& view) {
  return to_string(Extents(view.shape.begin(), view.shape.end()));
}

/// "n = 3, m = 4", for the symbols of `dim` that are bound.
std::string meanings(const Dim& dim, const Bindings& bindings) {
  std::vector<SymbolId> symbols;
  dim.collect(symbols);
  std::vector<std::string> parts;
  for (const SymbolId symbol : symbols) {
    if (const auto number = bindings.find(symbol)) parts.push_back(fmt::format("{} = {}", name_of(symbol), *number));
  }
  std::sort(parts.begin(), parts.end());
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

std::size_t bytes_of(const TensorView& view) {
  std::size_t bytes = size_of(view.dtype);
  for (const std::int64_t extent : view.shape) bytes *= static_cast<std::size_t>(extent);
  return bytes;
}

FeedCheck::FeedCheck(const Graph& graph, std::span<const ValueId> feeds) {
  for (std::size_t feed = 0; feed < feeds.size(); ++feed) {
    const ValueId value = feeds[feed];
    const Node& node = graph.node(value.node);
    const std::string name = value.output == 0 ? node.name : fmt::format("{}:{}", node.name, value.output);
    if (std::find(feeds.begin(), feeds.begin() + static_cast<std::ptrdiff_t>(feed), value) !=
        feeds.begin() + static_cast<std::ptrdiff_t>(feed)) {
      throw RunError(fmt::format("the {} is fed twice", describe(node)));
    }
    expected_.push_back({name, describe(node) + (value.output == 0 ? "" : fmt::format(", output {}", value.output)),
                         graph.type(value)});
    const Shape& shape = expected_.back().type.shape;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (!shape[axis].is_constant() && !shape[axis].as_symbol()) composite_.push_back({feed, axis});
    }
  }
}

void FeedCheck::bind(std::span<const TensorView> views, Bindings& bindings) const {
  if (views.size() != expected_.size()) {
    throw RunError(fmt::format("{} tensor{} fed where {} {} expected", views.size(), views.size() == 1 ? "" : "s",
                               expected_.size(), expected_.size() == 1 ? "is" : "are"));
  }
  for (std::size_t feed = 0; feed < views.size(); ++feed) check_type(expected_[feed], views[feed]);
  check_data(views);
  bindings.clear();
  bind_symbols(views, bindings);
  if (composite_.empty()) return;
  bind_linear(views, bindings);
  check_composite(views, bindings);
}

std::size_t FeedCheck::take_first_row(std::size_t feed, std::int64_t steps, TensorView& view) const {
  const Expected& expected = expected_.at(feed);
  if (view.shape.size() != expected.type.rank() + 1) return 0;
  if (view.shape[0] != steps) {
    throw RunError(fmt::format("fed {} to the {}: {} rows for {} steps", extents_of(view), expected.describe,
                               view.shape[0], steps));
  }
  view.shape = view.shape.subspan(1);
  return bytes_of(view);
}

void FeedCheck::check_type(const Expected& expected, const TensorView& view) const {
  if (view.dtype != expected.type.dtype) {
    fail(expected, view,
         fmt::format("the elements are {}, not {}", to_string(view.dtype), to_string(expected.type.dtype)));
  }
  if (view.shape.size() != expected.type.rank()) {
    fail(expected, view, fmt::format("the rank is {}, not {}", view.shape.size(), expected.type.rank()));
  }
  for (const std::int64_t extent : view.shape) {
    if (extent < 0) fail(expected, view, "an extent is negative");
  }
}

void FeedCheck::check_data(std::span<const TensorView> views) const {
  for (std::size_t feed = 0; feed < views.size(); ++feed) {
    const TensorView& view = views[feed];
    if (std::find(view.shape.begin(), view.shape.end(), 0) != view.shape.end()) continue;
    if (view.data == nullptr) fail(expected_[feed], view, "there is no data");
    if (std::bit_cast<std::uintptr_t>(view.data) % size_of(view.dtype) != 0) {
      fail(expected_[feed], view, "the data is not aligned to its elements");
    }
  }
}

void FeedCheck::bind_symbols(std::span<const TensorView> views, Bindings& bindings) const {
  for (std::size_t feed = 0; feed < views.size(); ++feed) {
    const Shape& shape = expected_[feed].type.shape;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      const std::int64_t extent = views[feed].shape[axis];
      if (const auto number = shape[axis].as_constant()) {
        if (extent != *number) mismatch({feed, axis}, views[feed], fmt::format("{}", *number));
      } else if (const auto symbol = shape[axis].as_symbol()) {
        if (const auto other = bindings.bind(*symbol, extent)) disagreement(*symbol, *other, {feed, axis}, extent);
      }
    }
  }
}

// Each extent that is solved may make another one solvable.
void FeedCheck::bind_linear(std::span<const TensorView> views, Bindings& bindings) const {
  for (bool progress = true; progress;) {
    progress = false;
    for (const Axis& at : composite_) {
      const auto linear = linear_in_one_unknown(dim(at), bindings);
      if (!linear) continue;
      const std::int64_t extent = views[at.feed].shape[at.axis];
      std::int64_t difference = 0;
      const bool overflow = __builtin_sub_overflow(extent, linear->rest, &difference);
      if (overflow || difference % linear->coefficient != 0 || difference / linear->coefficient < 0) {
        mismatch(at, views[at.feed], fmt::format("{} for any {}", to_string(dim(at)), name_of(linear->symbol)));
      }
      bindings.bind(linear->symbol, difference / linear->coefficient);
      progress = true;
    }
  }
}

void FeedCheck::check_composite(std::span<const TensorView> views, const Bindings& bindings) const {
  for (const Axis& at : composite_) {
    if (const auto unknown = unbound(dim(at), bindings)) {
      const Expected& expected = expected_[at.feed];
      throw RunError(fmt::format("fed {} for the {}, which is {}: that does not tell what '{}' is",
                                 extents_of(views[at.feed]), expected.describe, to_string(expected.type),
                                 name_of(*unknown)));
    }
    const std::int64_t want = dim(at).evaluate(bindings);
    if (want == views[at.feed].shape[at.axis]) continue;
    mismatch(at, views[at.feed], fmt::format("{} = {} ({})", to_string(dim(at)), want, meanings(dim(at), bindings)));
  }
}

void FeedCheck::fail(const Expected& expected, const TensorView& view, const std::string& why) const {
  throw RunError(fmt::format("fed {} {} but the {} is {}: {}", to_string(view.dtype), extents_of(view),
                             expected.describe, to_string(expected.type), why));
}

void FeedCheck::mismatch(const Axis& at, const TensorView& view, const std::string& want) const {
  const Expected& expected = expected_[at.feed];
  throw RunError(fmt::format("fed {} but the {} is {}: axis {} is {}, not {}", extents_of(view), expected.describe,
                             to_string(expected.type), at.axis, view.shape[at.axis], want));
}

void FeedCheck::disagreement(SymbolId symbol, std::int64_t first, const Axis& at, std::int64_t second) const {
  const auto axis_in = [&](const Expected& expected) {
    const Shape& shape = expected.type.shape;
    return std::find(shape.begin(), shape.end(), Dim(symbol)) - shape.begin();
  };
  // The feed that bound it: the first to have an axis of that extent.
  const auto binder = std::find_if(expected_.begin(), expected_.end(), [&](const Expected& expected) {
    return static_cast<std::size_t>(axis_in(expected)) < expected.type.rank();
  });
  throw RunError(fmt::format(
      "the feeds disagree about '{}': it is {} by axis {} of the {}, and {} by axis {} of the {}", name_of(symbol),
      first, axis_in(*binder), binder->describe, second, at.axis, expected_[at.feed].describe));
}

}  // namespace lathe
