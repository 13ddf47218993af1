#pragma once

#include <source_location>
#include <span>

#include <lathe/graph/graph.h>

namespace lathe {

/// What a graph hands new nodes to instead of adding them. A graph whose dispatcher computes them at once is how ops
/// run eagerly; a dispatcher that adds them, with what their inputs stand for, is how a function is traced.
class Dispatcher {
 public:
  /// The first output of what `spec` asks for.
  virtual Value apply(Graph::NodeSpec spec) = 0;
  /// apply() of an op without attributes.
  virtual Value apply(const Op& op, std::span<const Value> inputs, const std::source_location& where) {
    return apply({.op = op, .inputs = Values(inputs.begin(), inputs.end()), .where = where});
  }
  /// A constant scalar of `dtype`, of whose bytes `bits` holds the first ones.
  virtual Value scalar(DType dtype, std::uint64_t bits, const std::source_location& where) = 0;

 protected:
  ~Dispatcher() = default;
};

}  // namespace lathe
