#pragma once

#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <lathe/codegen/program.h>

namespace lathe {

/// What scheduling and emission need to know of one kernel's expressions: which axes a value varies along, and where
/// in memory an access lands. Worked out once an expression and remembered.
class Accesses {
 public:
  /// The program's pool must outlive it; `stages` may have been rewritten since lowering.
  Accesses(const Program& program, std::span<const loop::LocalInfo> locals, std::span<const loop::Stage> stages);

  struct Facts {
    std::vector<loop::AxisId> axes;  // that the value varies along, through locals too
    bool reads_local = false;
    bool reads_stored = false;  // it reads a local, or a tensor that the kernel writes
    bool always_safe = true;    // evaluating it anywhere does no harm: no checks, no loads that might be outside
  };
  const Facts& facts(loop::ExprId id);
  bool varies(loop::ExprId id, loop::AxisId axis);
  bool varies(loop::ExprId id, std::span<const loop::AxisId> axes);

  /// An estimate of the work that a value takes: one for what takes one instruction a vector.
  int operations(loop::ExprId id);

  /// The element number that a Load or a Local reads, in row-major order.
  const loop::Affine& flat(loop::ExprId access);
  /// How far in elements a step along `axis` moves `access`; nothing if that is not the same everywhere.
  std::optional<Dim> step(loop::ExprId access, loop::AxisId axis);

  /// Whether neighbours along `axis` are neighbours in memory, or the same, wherever `id` loads something.
  bool contiguous(loop::ExprId id, loop::AxisId axis);

  /// Whether any of `loads` reads the memory that `tensor` lies in.
  bool is_read(loop::TensorId tensor, std::span<const loop::ExprId> loads) const;

  /// The Load or Local that reads what `yield` writes.
  loop::ExprId target(const loop::Yield& yield);

  /// `id` in linear form if it is an i64 sum whose divisions and remainders may cancel.
  std::optional<loop::Affine> linear(loop::ExprId id);
  /// True if an i64 value is provably at least 0 wherever it is used.
  bool non_negative(loop::ExprId id);

  loop::Pool& pool() { return *program_.pool; }
  const Program& program() const { return program_; }

 private:
  Facts find_facts(loop::ExprId id);
  std::vector<loop::ExprId> parts(loop::ExprId id);
  bool stored(loop::TensorId tensor) const;

  const Program& program_;
  std::vector<loop::LocalInfo> locals_;
  std::vector<loop::TensorId> stored_;
  std::unordered_map<loop::LocalId, std::vector<loop::AxisId>> local_axes_;
  std::unordered_map<loop::ExprId, Facts> facts_;
  std::unordered_map<loop::ExprId, loop::Affine> flat_;
};

}  // namespace lathe
