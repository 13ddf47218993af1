#pragma once

#include <lathe/codegen/placement.h>

namespace lathe {

/// Turns a group into a step: members become stages; neighbouring maps over the same inner axes become one stage.
loop::Step build_step(const Lowered& lowered, const Group& group, const Placement& placement);

}  // namespace lathe
