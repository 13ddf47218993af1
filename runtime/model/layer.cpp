#include <lathe/runtime/model/layer.h>

#include <optional>
#include <utility>

#include <fmt/format.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/conv.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/nn/layers.h>
#include <lathe/ops/pool.h>
#include <lathe/ops/random.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/softmax.h>

namespace lathe::nn {
namespace {

[[noreturn]] void fail(std::string_view layer, const std::source_location& where, std::string_view message) {
  throw GraphError(fmt::format("{} ({}): {}", layer, describe(SourceLine(where)), message));
}

/// A layer that has no parameters and works alike in training.
Layer plain(std::string type, std::function<Value(Value)> function) {
  return {std::move(type), [function = std::move(function)](const Value&) {
            return BuiltLayer{.apply = [function](Value x, bool) { return function(x); }};
          }};
}

/// A new parameter of the layer that is being built, of the dtype of its input.
Variable parameter(const Value& x, std::string_view name, const Shape& shape, const init::Initializer& initializer,
                   const std::source_location& where) {
  return variable(x.graph(), name, initializer(x.graph(), shape, x.dtype(), where), {}, where);
}

}  // namespace

struct Layer::State {
  std::string type;
  Build build;
  std::shared_ptr<ModelState> model;
  std::string name = {};
  std::optional<BuiltLayer> built = {};
  const Graph* graph = nullptr;
};

Layer::Layer(std::string type, Build build) : Layer(std::move(type), std::move(build), nullptr) {}

Layer::Layer(std::string type, Build build, std::shared_ptr<ModelState> model)
    : state_(std::make_shared<State>(
          State{.type = std::move(type), .build = std::move(build), .model = std::move(model)})) {}

const std::string& Layer::type() const {
  return state_->type;
}

const std::shared_ptr<ModelState>& Layer::model() const {
  return state_->model;
}

const std::string& Layer::name() const {
  return state_->name;
}

const BuiltLayer& Layer::build(const std::string& name, Value x) const {
  State& state = *state_;
  if (!state.built) {
    const Graph::Scope scope(x.graph(), name);
    state.built = state.build(x);
    state.name = name;
    state.graph = &x.graph();
  }
  if (state.graph != &x.graph()) {
    throw GraphError(fmt::format("layer '{}' already has its parameters in another model's graph", state.name));
  }
  return *state.built;
}

const BuiltLayer& Layer::built() const {
  return *state_->built;
}

Value Layer::apply(Value x, bool training) const {
  const Graph::Scope scope(x.graph(), state_->name);
  return state_->built->apply(x, training);
}

Flatten::operator Layer() const {
  return plain("Flatten", [where = where](Value x) { return flatten(x, 1, where); });
}

Reshape::operator Layer() const {
  return plain("Reshape", [layer = *this](Value x) {
    Shape shape = {x.shape().empty() ? Dim(1) : x.shape().front()};
    shape.insert(shape.end(), layer.shape.begin(), layer.shape.end());
    return reshape(x, std::move(shape), layer.where);
  });
}

Dense::operator Layer() const {
  return {
      "Dense", [dense = *this](Value x) {
        const auto& where = dense.where;
        if (!is_float(x.dtype())) {
          fail("Dense", where, fmt::format("takes floats, not {}: put a Rescaling before it", to_string(x.dtype())));
        }
        if (x.rank() < 2 || !x.shape().back().is_constant()) {
          fail("Dense", where, fmt::format("takes rows [.., n] with n a number, not {}", to_string(x.shape())));
        }
        if (dense.units < 1) fail("Dense", where, fmt::format("needs at least one unit, not {}", dense.units));
        BuiltLayer built;
        built.parameters = {parameter(x, "kernel", {x.shape().back(), dense.units}, dense.kernel_initializer, where)};
        if (dense.use_bias) {
          built.parameters.push_back(parameter(x, "bias", {dense.units}, dense.bias_initializer, where));
        }
        built.apply = [dense, parameters = built.parameters](Value rows, bool) {
          Value y = matmul(rows, parameters[0], {}, dense.where);
          if (dense.use_bias) y = add(y, parameters[1].value, dense.where);
          return dense.activation(y, dense.where);
        };
        return built;
      }};
}

Conv2D::operator Layer() const {
  return {"Conv2D", [conv = *this](Value x) {
            const auto& where = conv.where;
            const Shape kernel = conv2d_kernel_shape("Conv2D", x, conv.filters, conv.kernel_size, conv.groups, where);
            BuiltLayer built;
            built.parameters = {parameter(x, "kernel", kernel, conv.kernel_initializer, where)};
            if (conv.use_bias) {
              built.parameters.push_back(parameter(x, "bias", {conv.filters}, conv.bias_initializer, where));
            }
            built.apply = [conv, parameters = built.parameters](Value images, bool) {
              Value y = lathe::conv2d(images, parameters[0], {conv.strides, conv.padding, conv.dilations, conv.groups},
                                      conv.where);
              if (conv.use_bias) y = add(y, parameters[1].value, conv.where);
              return conv.activation(y, conv.where);
            };
            return built;
          }};
}

MaxPool2D::operator Layer() const {
  return plain("MaxPool2D", [pool = *this](Value x) {
    return max_pool2d(x, pool.window, {pool.strides, pool.padding}, pool.where);
  });
}

AvgPool2D::operator Layer() const {
  return plain("AvgPool2D", [pool = *this](Value x) {
    return avg_pool2d(x, pool.window, {pool.strides, pool.padding}, pool.where);
  });
}

Dropout::operator Layer() const {
  return {"Dropout", [layer = *this](const Value&) {
            return BuiltLayer{.apply =
                                  [layer](Value x, bool training) {
                                    return training ? lathe::dropout(x, layer.rate, true, layer.where) : x;
                                  },
                              .differs_in_training = true};
          }};
}

ActivationLayer::operator Layer() const {
  return plain("Activation", [layer = *this](Value x) { return layer.activation(x, layer.where); });
}

Softmax::operator Layer() const {
  return plain("Softmax", [where = where](Value x) { return softmax(x, -1, where); });
}

Rescaling::operator Layer() const {
  return plain("Rescaling", [layer = *this](Value x) {
    const Value numbers = cast(x, x.dtype() == DType::f64 ? DType::f64 : DType::f32, layer.where);
    const Value scaled = mul(numbers, layer.scale, layer.where);
    return layer.offset == 0 ? scaled : add(scaled, layer.offset, layer.where);
  });
}

}  // namespace lathe::nn
