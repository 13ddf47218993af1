#pragma once

#include <span>
#include <string>
#include <vector>

#include <lathe/graph/graph.h>

namespace lathe {

/// How much memory the elements take.
std::size_t bytes_of(const TensorView& view);

/// What one kind of run expects to be fed, and the check of what it is given. Checking allocates nothing unless it
/// fails.
class FeedCheck {
 public:
  FeedCheck() = default;
  /// Throws RunError if a value is fed twice.
  FeedCheck(const Graph& graph, std::span<const ValueId> feeds);

  /// Checks the number, dtypes, ranks, extents and data of `views`, one a feed, and binds the symbols that the feeds'
  /// extents determine, alone or as the only unknown of a linear extent such as 2 * n + 1. Throws RunError naming the
  /// fed node and its source line.
  void bind(std::span<const TensorView> views, Bindings& bindings) const;
  /// For views of the dtypes and extents of others that passed: checks their data.
  void check_data(std::span<const TensorView> views) const;

  /// Makes a feed that has one axis more than expected, [steps, ...], its first row, and returns the bytes of a row; 0,
  /// and the view unchanged, for any other. Throws RunError if there is not one row a step.
  std::size_t take_first_row(std::size_t feed, std::int64_t steps, TensorView& view) const;

 private:
  struct Expected {
    std::string name;      // "images"
    std::string describe;  // "placeholder 'images' (model.cpp:12)"
    TensorType type;
  };
  struct Axis {
    std::size_t feed;
    std::size_t axis;
  };

  void check_type(const Expected& expected, const TensorView& view) const;
  void bind_symbols(std::span<const TensorView> views, Bindings& bindings) const;
  void bind_linear(std::span<const TensorView> views, Bindings& bindings) const;
  void check_composite(std::span<const TensorView> views, const Bindings& bindings) const;
  const Dim& dim(const Axis& at) const { return expected_[at.feed].type.shape[at.axis]; }

  [[noreturn]] void fail(const Expected& expected, const TensorView& view, const std::string& why) const;
  [[noreturn]] void mismatch(const Axis& at, const TensorView& view, const std::string& want) const;
  [[noreturn]] void disagreement(SymbolId symbol, std::int64_t first, const Axis& at, std::int64_t second) const;

  std::vector<Expected> expected_;
  std::vector<Axis> composite_;  // whose extents are neither a number nor one symbol
};

}  // namespace lathe
