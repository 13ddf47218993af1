#include <lathe/runtime/model/sequential.h>

#include <utility>

#include <fmt/format.h>

#include <lathe/runtime/model/model_state.h>

namespace lathe::nn {
namespace {

const ModelState& built(const std::shared_ptr<ModelState>& state, std::string_view asked_by) {
  if (state->output.empty())
    throw RunError(fmt::format("{} needs a built model: build() it, or show it data", asked_by));
  return *state;
}

/// "(None, 784)"
std::string keras_shape(const Shape& shape) {
  std::string text;
  for (const Dim& extent : shape) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", extent.is_constant() ? to_string(extent) : "None");
  }
  return fmt::format("({}{})", text, shape.size() == 1 ? "," : "");
}

/// "101,770"
std::string grouped(std::int64_t number) {
  std::string digits = fmt::format("{}", number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

const Variable& learning_rate_of(const ModelState& state) {
  if (!state.training_graph) throw RunError("the learning rate is known once fit has begun");
  if (!state.training_graph->learning_rate) {
    throw RunError("the optimizer's learning rate is computed in the graph: it can be neither asked for nor set");
  }
  return *state.training_graph->learning_rate;
}

}  // namespace

Sequential::Sequential(std::initializer_list<Layer> layers) : Sequential(std::vector<Layer>(layers)) {}

Sequential::Sequential(std::vector<Layer> layers) : state_(std::make_shared<ModelState>()) {
  state_->layers = std::move(layers);
}

Sequential::operator Layer() const {
  const auto build = [state = state_](Value x) {
    if (state->rows.empty()) state->build_layers(x);
    // The wrapper holds the model, and nothing in the model holds the wrapper: no cycle.
    return BuiltLayer{.parameters = state->parameters(),
                      .apply = [state](Value y, bool training) { return state->apply(y, training); },
                      .differs_in_training = state->differs_in_training()};
  };
  return {"Sequential", build, state_};
}

void Sequential::build(const TensorType& input) {
  if (input.rank() == 0)
    throw GraphError("build() takes the type of a batch, such as {u8, {None, 28, 28}}, not a scalar");
  Extents extents(input.rank());
  for (std::size_t axis = 1; axis < input.rank(); ++axis) {
    const auto extent = input.shape[axis].as_constant();
    if (!extent)
      throw GraphError(fmt::format("only the batch may be open in a model's input, not {}", to_string(input)));
    extents[axis] = *extent;
  }
  state_->build_for({input.dtype, extents, nullptr});
}

bool Sequential::is_built() const {
  return !state_->output.empty();
}

void Sequential::compile(Training training) {
  state_->training = std::move(training);
  state_->training_graph.reset();
}

std::string Sequential::summary() const {
  const ModelState& state = built(state_, "summary");
  constexpr int width = 65;
  const std::string thin(width, '_');
  const std::string thick(width, '=');
  const auto line = [](std::string_view name, std::string_view shape, std::string_view count) {
    return fmt::format(" {:<28}{:<26}{:<10}\n", name, shape, count);
  };
  std::string text =
      fmt::format("Model: \"sequential\"\n{}\n{}{}\n", thin, line("Layer (type)", "Output Shape", "Param #"), thick);
  std::int64_t total = 0;
  for (const auto& row : state.rows) {
    text +=
        line(fmt::format("{} ({})", row.name, row.type), keras_shape(row.output), fmt::format("{}", row.parameters));
    total += row.parameters;
  }
  text += fmt::format("{}\nTotal params: {}\nTrainable params: {}\nNon-trainable params: 0\n{}\n", thick,
                      grouped(total), grouped(total), thin);
  return text;
}

std::vector<Tensor> Sequential::weights() const {
  const ModelState& state = built(state_, "weights");
  std::vector<Tensor> tensors;
  for (const Variable& parameter : state.parameters()) tensors.push_back(state.session().variable(parameter));
  return tensors;
}

void Sequential::set_weights(std::span<const Tensor> weights) {
  const ModelState& state = built(state_, "set_weights");
  const std::vector<Variable> parameters = state.parameters();
  if (weights.size() != parameters.size()) {
    throw RunError(fmt::format("the model has {} weights, not {}", parameters.size(), weights.size()));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) state.session().set_variable(parameters[i], weights[i]);
}

double Sequential::learning_rate() const {
  return state_->session().variable(learning_rate_of(*state_)).item<double>();
}

void Sequential::set_learning_rate(double rate) {
  state_->session().set_variable(learning_rate_of(*state_), Tensor::scalar(rate));
}

Graph& Sequential::graph() const {
  return built(state_, "graph").network->graph;
}

Session& Sequential::session() const {
  return state_->session();
}

Value Sequential::output() const {
  return built(state_, "output").output;
}

const Callable& Sequential::training_step() const {
  const auto& graph = state_->training_graph;
  if (!graph || !graph->step) throw RunError("there is no training step before the first fit");
  return *graph->step;
}

}  // namespace lathe::nn
