#include <lathe/runtime/eager/optimizer.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <lathe/runtime/eager/function.h>
#include <lathe/runtime/eager/state.h>
#include <lathe/runtime/eager/trace.h>

namespace lathe::eager {

struct Optimizer::Parts {
  /// One list of variables, and the program that updates them.
  struct Update {
    Values variables;
    TracedCalls calls;

    Update(Values the_variables, const std::source_location& where)
        : variables(std::move(the_variables)), calls(where, TracedCalls::Kind::update) {}
  };

  State& state;
  optim::Optimizer optimizer;
  VariablesByName slots = {};
  std::vector<std::unique_ptr<Update>> updates = {};

  /// Adds the update to the function that is being traced.
  void add(const Values& gradients, const Values& variables, const std::source_location& where) {
    Trace& trace = *state.tracing;
    std::vector<optim::GradientAndVariable> pairs;
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const bool known = !variables[i].empty() && &variables[i].graph() == &state.graph;
      if (known && !state.is_variable(variables[i].id().node)) {
        throw GraphError(fmt::format("{} ({}): '{}' is not a variable", optimizer.name(), describe(SourceLine(where)),
                                     variables[i].name()));
      }
      pairs.push_back(
          {trace.import(gradients[i]), known ? trace.import_variable(variables[i]) : trace.import(variables[i])});
    }
    VariablesByName* const outer = std::exchange(trace.variables, &slots);
    try {
      optimizer.apply_gradients(pairs, where);
    } catch (...) {
      trace.variables = outer;
      throw;
    }
    trace.variables = outer;
  }

  Update& update_of(const Values& variables, const std::source_location& where) {
    const auto found = std::find_if(updates.begin(), updates.end(),
                                    [&](const auto& update) { return update->variables == variables; });
    if (found != updates.end()) return **found;
    updates.push_back(std::make_unique<Update>(variables, where));
    return *updates.back();
  }
};

Optimizer::Optimizer(Context& context, optim::Optimizer optimizer)
    : parts_(new Parts{dynamic_cast<State&>(*context.graph().dispatcher()), std::move(optimizer)}) {}
Optimizer::~Optimizer() = default;
Optimizer::Optimizer(Optimizer&&) noexcept = default;
Optimizer& Optimizer::operator=(Optimizer&&) noexcept = default;

void Optimizer::apply_gradients(const Values& gradients, const Values& variables, std::source_location where) {
  Parts& parts = *parts_;
  if (gradients.size() != variables.size()) {
    throw GraphError(fmt::format("{} ({}): {} gradients for {} variables", parts.optimizer.name(),
                                 describe(SourceLine(where)), gradients.size(), variables.size()));
  }
  if (parts.state.tracing) return parts.add(gradients, variables, where);
  const StopRecording pause(parts.state);
  parts.update_of(variables, where).calls.call(parts.state.graph, gradients, {}, [&](std::span<const Value> inside) {
    parts.add(Values(inside.begin(), inside.end()), variables, where);
    return Values();
  });
}

std::vector<std::pair<std::string, Value>> Optimizer::slots() const {
  return {parts_->slots.begin(), parts_->slots.end()};
}

}  // namespace lathe::eager
