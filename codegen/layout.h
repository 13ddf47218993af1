#pragma once

#include <cstdint>
#include <span>

#include <lathe/codegen/program.h>

/// How variables are stored. Threads share out the columns of a large matrix; in row-major order every thread's columns
/// would lie between the others', in lines that prefetchers pull from core to core. So such a matrix [R, C] is stored
/// in panels, [C / panel, R, panel]: each thread's panels are memory of its own, from step to step. A small matrix
/// whose rows are shorter than a vector is stored by columns, in panels of one: vectors then run along those, without
/// idle lanes. Nobody sees that but compiled programs; a variable is read, written, fetched and printed in row-major
/// order.
namespace lathe {

/// The columns of a panel in which a variable of this type is stored; 0: it is stored in row-major order.
std::int64_t panel_columns(const TensorType& variable);

/// The extents of such a matrix in panels.
Extents panel_extents(std::span<const std::int64_t> matrix, std::int64_t panel);

/// A row-major matrix in panels of so many columns, and back.
Tensor to_panels(const TensorView& matrix, std::int64_t panel);
Tensor from_panels(const TensorView& panels);

/// Rewrites a program for variables that are stored as panel_columns() says, before its memory is planned: types,
/// every access, and the axes that run along the columns, each split into panels and the columns of one. Sums keep
/// their order, so no bit of any result changes.
void store_variables_in_panels(Program& program);

}  // namespace lathe
