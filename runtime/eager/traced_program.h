#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <lathe/codegen/explain.h>
#include <lathe/runtime/eager/trace.h>
#include <lathe/runtime/plan.h>

namespace lathe::eager {

/// A traced function, compiled.
class TracedProgram {
 public:
  /// Compiles what was traced; without `panels`, for variables in row-major order.
  TracedProgram(State& state, std::unique_ptr<Trace> trace, std::string name, bool panels);

  /// Whether the program is right for arrays of these extents.
  bool fits(std::span<const Value> arguments) const;
  Values run(std::span<const Value> arguments);
  const ProgramStatistics& statistics() const { return plan_->statistics; }
  /// At the sizes of the last run.
  Explanation explain() const { return lathe::explain(plan_->executable(), bound_); }

 private:
  State& state_;
  std::unique_ptr<Trace> trace_;
  std::shared_ptr<Plan> plan_;
  bool panels_;
  Values outside_;  // the context's variables, by slot of the program

  // Of a run, kept for the next one's sake.
  std::vector<TensorView> views_;
  Bindings fed_;
  Bindings bound_;
  std::vector<std::int64_t> symbols_;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
  std::vector<void*> variables_;
};

}  // namespace lathe::eager
