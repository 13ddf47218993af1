#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <lathe/graph/graph.h>

namespace lathe {

// The text form of a graph: what dumps, golden tests and cache keys use. One node a line:
//
//   counters {symbols = 1, streams = 2}
//   equal _0 = batch
//   %0 = placeholder() {dtype = f32, shape = [batch, 784]} : f32 [batch, 784]   # images  model.cpp:12
//   %1 = placeholder() {dtype = f32, shape = [784, 128]} : f32 [784, 128]   # w  model.cpp:13
//   %2 = matmul(%0, %1) {transpose_a = false, transpose_b = false} : f32 [batch, 128]   # dense/matmul  model.cpp:14
//   %3 = split(%2) {axis = 1, sizes = (64, 64)} after %0 : f32 [batch, 64], f32 [batch, 64]   # split  model.cpp:15
//   %4 = neg(%3:1) : f32 [batch, 64]   # neg  model.cpp:15  gradient of split
//   output loss = %4
//
// `%3` is the first output of node 3, `%3:1` its second. `after` lists control nodes. Behind '#' follow the node's
// name, the line of the user's program and, of gradient nodes, the name of the forward node. Names with unusual
// characters stand in quotes. `counters` tells how many fresh symbols and random streams were handed out, and `equal`
// which symbols were found to be equal to what.
//
// Attributes: true; 3; 1.5, inf, nan; "text"; f32; extents (2, 3); a shape [n + m, 2*n, ?], where ? is open; a tensor
// f32 [2] {1.5, -0.0}.
//
// A person who writes a graph may leave out types (they are inferred and, if given, compared), attributes that have
// defaults, and names (a node is then called like its op). A line that starts with '#' is a comment.

struct TextOptions {
  /// Tensors with more elements than this are cut short, for reading only: parse_text() does not take them.
  std::int64_t max_elements = std::numeric_limits<std::int64_t>::max();
  /// The lines of the user's program. Without them the text tells what a graph computes, wherever it was written.
  bool lines = true;
};

/// Prints a graph so that parse_text() gives the same_structure().
std::string to_text(const Graph& graph, const TextOptions& options = {});

/// Reads a graph. Throws GraphError with line and column of the text for syntax, unknown ops and wrong types.
Graph parse_text(std::string_view text);

/// Equal node for node: ops, inputs, control, attributes, types, names, lines, origins, and all that the text form
/// holds beside the nodes.
bool same_structure(const Graph& a, const Graph& b);

}  // namespace lathe
