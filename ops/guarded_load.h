#pragma once

#include <cstddef>
#include <vector>

#include <lathe/codegen/loop/body.h>

namespace lathe {

/// Input `input` at `indices`, of which those along `axes` may lie outside: they are moved inside, for a value that a
/// select or check then drops. A tensor that may be empty is then read at its first position, which memory has even so.
loop::Expr load_moved_inside(loop::Body& body, std::size_t input, std::vector<loop::Expr> indices,
                             const std::vector<std::size_t>& axes);

}  // namespace lathe
