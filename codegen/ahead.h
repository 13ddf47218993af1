#pragma once

#include <optional>

#include <lathe/codegen/access.h>

namespace lathe {

/// What a row kernel does of the next row: its first reduction, in the loop of a stage of this row that has as many
/// columns and more to compute. There the loads of what is far away, and a chain of dependent instructions, cost least.
struct Ahead {
  loop::ExprId reduction;  // stands for the first stage's
  loop::AxisId row;        // the next one
  std::size_t host;        // number of the stage
};

/// Nothing if the next row may not be read yet, or no stage suits.
std::optional<Ahead> look_ahead(Accesses& accesses, std::span<const loop::Stage> stages, loop::AxisId row);

}  // namespace lathe
