#pragma once

#include <vector>

#include <lathe/codegen/group.h>

namespace lathe {

/// When groups run and where their results live.
struct Placement {
  std::vector<std::size_t> order;                   // of groups
  std::vector<loop::TensorId> home;                 // by TensorId: the tensor whose memory holds its values
  std::vector<std::vector<loop::TensorId>> stores;  // by TensorId: all tensors that its values are written to
  std::vector<bool> in_scratch;                     // by TensorId: its own kernel keeps it in a register or row too
  std::vector<loop::CommitStep> commits;            // updates of variables that had to wait until nothing can fail
};

/// Decides both, keeping two promises: every read of a variable sees its value from before the run, and no group that
/// can fail runs after a variable has changed. A variable is updated in place where an order exists that keeps them;
/// elsewhere its new value waits in the arena. Gives stored tensors of `lowered` their role.
/// Results that only later stages of the same kernel read stay in registers, or in rows of scratch of constant size.
Placement place(Lowered& lowered, const std::vector<Group>& groups);

}  // namespace lathe
