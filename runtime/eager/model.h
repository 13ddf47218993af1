#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include <lathe/runtime/eager/context.h>
#include <lathe/runtime/model/layer.h>

namespace lathe::eager {

/// Layers, one after the other, as a function of arrays:
///
///   eager::Model model(context, {nn::Rescaling{1.0 / 255}, nn::Flatten{}, nn::Dense{128, relu}, nn::Dense{10}});
///   Value logits = model(images);
///
/// Parameters are variables of the context, made when the model first sees an input, also within a function that is
/// traced. A layer belongs to one model.
class Model {
 public:
  Model(Context& context, std::initializer_list<nn::Layer> layers);
  Model(Context& context, std::vector<nn::Layer> layers);

  /// Makes the parameters for inputs of this type, whose first extent does not matter. Throws GraphError naming
  /// the layer that cannot take what reaches it.
  void build(const TensorType& input);
  Value operator()(const Value& x, bool training = false);

  /// All parameters, layer by layer: what a tape differentiates with respect to. Throws GraphError before they are
  /// made.
  Values parameters() const;

 private:
  Graph* graph_;
  std::vector<nn::Layer> layers_;
  bool built_ = false;
};

}  // namespace lathe::eager
