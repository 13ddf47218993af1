#include <lathe/ops/optim/optimizer.h>

#include <set>

#include <fmt/format.h>

#include <lathe/ops/cast.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

namespace lathe::optim {
namespace {

[[noreturn]] void fail(std::string_view name, const std::source_location& where, std::string_view message) {
  throw GraphError(fmt::format("{} ({}): {}", name, describe(SourceLine(where)), message));
}

Value state(Graph& graph, std::string_view name, const Value& initial) {
  return variable(graph, name, initial, {.trainable = false}).value;
}

void check(std::string_view name, const std::vector<GradientAndVariable>& pairs, const std::source_location& where) {
  if (pairs.empty()) fail(name, where, "there is no variable to update");
  std::set<ValueId> seen;
  for (const auto& [gradient, variable] : pairs) {
    if (variable.empty() || gradient.empty()) fail(name, where, "a variable or gradient is an empty Value");
    if (variable.node().op->kind != Kind::variable) {
      fail(name, where, fmt::format("'{}' is not a variable", variable.name()));
    }
    if (!seen.insert(variable.id()).second) {
      fail(name, where, fmt::format("variable '{}' is given twice", variable.name()));
    }
    if (gradient.type() != variable.type()) {
      fail(name, where,
           fmt::format("variable '{}' is {}, and its gradient {}", variable.name(), to_string(variable.type()),
                       to_string(gradient.type())));
    }
  }
}

}  // namespace

UpdateContext::UpdateContext(Graph& graph, const LearningRate& learning_rate, std::source_location where)
    : graph_(graph) {
  const Value done = state(graph, "iteration", constant(graph, std::int64_t{0}));
  learning_rate_ = learning_rate.at(done, where);
  update_number_ = cast(assign(done, done + 1), DType::f64);
}

Value UpdateContext::slot(std::string_view name, const Value& variable, double initial) const {
  return state(graph_, fmt::format("{}/{}", name, variable.name()),
               fill(graph_, variable.shape(), initial, variable.dtype()));
}

Value UpdateContext::assign(const Value& variable, const Value& value) {
  assignments_.push_back(lathe::assign(variable, value));
  return assignments_.back();
}

Value Optimizer::minimize(Value loss, Values variables, std::source_location where) const {
  if (loss.empty() || !is_float(loss.dtype()) || loss.rank() != 0) {
    fail(name_, where,
         fmt::format("the loss must be a float scalar, and is {}: take its mean",
                     loss.empty() ? "an empty Value" : to_string(loss.type())));
  }
  const bool all = variables.empty();
  if (all) variables = trainable_variables(loss.graph());
  if (variables.empty()) fail(name_, where, "the graph has no trainable variable");
  const Values found =
      gradients({loss}, variables, {}, {.unconnected = all ? Unconnected::empty : Unconnected::error}, where);
  std::vector<GradientAndVariable> pairs;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    if (!found[i].empty()) pairs.push_back({found[i], variables[i]});
  }
  return apply_gradients(pairs, where);
}

Value Optimizer::apply_gradients(const std::vector<GradientAndVariable>& pairs, std::source_location where) const {
  check(name_, pairs, where);
  Graph& graph = pairs.front().variable.graph();
  const Graph::Line line(graph, where);
  const Graph::Scope scope(graph, name_);
  UpdateContext context(graph, learning_rate_, where);
  const UpdateRule rule = make_rule_(context);
  for (const auto& [gradient, variable] : pairs) rule(context, variable, gradient);
  return group(context.assignments());
}

}  // namespace lathe::optim
