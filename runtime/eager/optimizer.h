#pragma once

#include <memory>
#include <source_location>

#include <lathe/ops/optim/optimizer.h>
#include <lathe/runtime/eager/context.h>

namespace lathe::eager {

/// An optimizer of arrays, with the rules of any optim::Optimizer:
///
///   eager::Optimizer optimizer(context, optim::adam());
///   optimizer.apply_gradients(tape.gradient(loss, variables), variables);
///
/// An update of all variables is one compiled program, traced at the first call. Slots and the count of updates are
/// variables of the context that live as long as the optimizer.
class Optimizer {
 public:
  Optimizer(Context& context, optim::Optimizer optimizer);
  ~Optimizer();
  Optimizer(Optimizer&&) noexcept;
  Optimizer& operator=(Optimizer&&) noexcept;

  /// Updates each variable from its gradient. In a function that is being traced the update becomes part of it. Throws
  /// GraphError for what optim::Optimizer::apply_gradients rejects, and for lists of different lengths.
  void apply_gradients(const Values& gradients, const Values& variables,
                       std::source_location where = std::source_location::current());

  /// The optimizer's own variables by name, such as "adam/m/w".
  std::vector<std::pair<std::string, Value>> slots() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace lathe::eager
