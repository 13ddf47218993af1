#pragma once

#include <cstddef>

#include <lathe/codegen/program.h>

namespace lathe {

/// Finds the kernels of a program that may run in strips, and puts their steps next to each other.
void find_strips(Program& program);

/// The group that begins at a step, or null.
const StripGroup* group_at(const Program& program, std::size_t step);

/// Kernels run one after the other if there are fewer strips, or if what they leave for each other is not as much, or
/// where they would not be shared out.
inline constexpr std::int64_t least_strips = 8;
inline constexpr std::int64_t least_link_bytes = 1 << 20;

}  // namespace lathe
