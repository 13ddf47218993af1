#include <lathe/runtime/eager/model.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

#include <fmt/format.h>

#include <lathe/runtime/eager/state.h>
#include <lathe/runtime/eager/trace.h>

namespace lathe::eager {

Model::Model(Context& context, std::initializer_list<nn::Layer> layers) : Model(context, std::vector(layers)) {}

Model::Model(Context& context, std::vector<nn::Layer> layers) : graph_(&context.graph()), layers_(std::move(layers)) {}

void Model::build(const TensorType& input) {
  if (built_) return;
  State& state = dynamic_cast<State&>(*graph_->dispatcher());
  // Layers learn from an example what they are applied to: one row will do.
  Extents extents = evaluate(input.shape, state.tracing ? state.tracing->example : Bindings());
  if (!extents.empty()) extents.front() = 1;
  const Tracing outside(state, nullptr);
  const StopRecording pause(state);
  Value x = state.adopt(Tensor(input.dtype, extents));
  std::map<std::string, int> uses;
  for (const nn::Layer& layer : layers_) {
    std::string name = layer.type();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (const int before = uses[name]++; before > 0) name += fmt::format("_{}", before);
    layer.build(name, x);
    x = layer.apply(x, false);
  }
  built_ = true;
}

Value Model::operator()(const Value& x, bool training) {
  build(x.type());
  Value y = x;
  for (const nn::Layer& layer : layers_) y = layer.apply(y, training);
  return y;
}

Values Model::parameters() const {
  if (!built_) throw GraphError("a model has no parameters before it has seen an input: build() it, or show it data");
  Values out;
  for (const nn::Layer& layer : layers_) {
    for (const Variable& parameter : layer.built().parameters) out.push_back(parameter.value);
  }
  return out;
}

}  // namespace lathe::eager
