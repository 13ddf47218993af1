#pragma once

#include <string>
#include <vector>

#include <lathe/codegen/lowered.h>

namespace lathe {

/// Definitions that one kernel computes together. The first `outer` axes of every member's tensor are the kernel's
/// outer axes; a member that loads another one loads it at the same outer point.
struct Group {
  std::vector<loop::TensorId> members;  // producers first
  Shape outer;
  std::string boundary;  // why the definition that began the group did not join its producers
};

/// Groups definitions:
///
/// - a consumer joins the group of what it loads when it needs only the same outer point: as an epilogue of a
///   contraction or reduction, as the next map over the same domain, or as a further stage over the same rows;
/// - a group gives up inner outer-axes when a consumer needs whole rows (softmax after logits), except where a
///   contraction too large for a row kernel would lose its register tiles;
/// - groups over the same domain that a new member connects, or that read the same tensors, become one.
///
/// A tensor with a scatter is a group of its own. Some order exists in which the groups can run; place() finds it.
std::vector<Group> group(const Lowered& lowered);

/// One group a definition: what `fuse = false` means.
std::vector<Group> group_alone(const Lowered& lowered);

}  // namespace lathe
