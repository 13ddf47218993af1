#pragma once

#include <optional>
#include <span>
#include <vector>

#include <lathe/codegen/access.h>

namespace lathe {

/// Tensors of so many bytes, once written, would push everything else out of the caches, to be gone themselves before
/// they are read. Stored past the caches, their lines need not be fetched first either.
inline constexpr std::int64_t streamed_bytes = 16 << 20;

/// The tensors that `stages` may store so: written in whole, aligned lines along `column`, or the stage's last inner
/// axis, and never read. Variables stay: the next run reads them.
std::vector<loop::TensorId> choose_streamed(Accesses& accesses, std::span<const loop::Stage> stages,
                                            const std::optional<loop::AxisId>& column);

}  // namespace lathe
