#include <lathe/runtime/model/model_state.h>

#include <cctype>
#include <utility>

#include <fmt/format.h>

#include <lathe/ops/cast.h>
#include <lathe/ops/gather.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

namespace lathe::nn {
namespace {

/// The shape of `rows` rows like those of `view`.
Shape shape_of_rows(const TensorView& view, const Dim& rows) {
  Shape shape(view.shape.begin(), view.shape.end());
  if (shape.empty()) throw DataError("a model takes tensors with examples along their first axis, not scalars");
  shape[0] = rows;
  return shape;
}

/// One number from numbers or truth values for each example.
Value mean_of(Value measured) {
  return mean(is_float(measured.dtype()) ? measured : cast(measured, DType::f32));
}

}  // namespace

std::string Network::layer_name(std::string_view type) {
  std::string name;
  char before = 0;
  for (const char letter : type) {  // MaxPool2D is max_pool2d
    const auto is = [](int (*kind)(int), char of) { return kind(static_cast<unsigned char>(of)) != 0; };
    if (is(std::isupper, letter) && is(std::islower, before)) name += '_';
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    before = letter;
  }
  const int uses = uses_[name]++;
  return uses == 0 ? name : fmt::format("{}_{}", name, uses);
}

Session& Network::ready(const SessionOptions& options) {
  const bool first = !session;
  if (first) {
    session.emplace(graph, options);
    seed = options.seed;
  }
  Values initializers;
  for (; seen_nodes_ < graph.size(); ++seen_nodes_) {
    const auto id = static_cast<NodeId>(seen_nodes_);
    const Node& node = graph.node(id);
    if (node.op->kind == Kind::assign && node.attributes.get<bool>("initializer")) {
      initializers.emplace_back(graph, ValueId{id, 0});
    }
  }
  if (first) {
    session->initialize();
  } else if (!initializers.empty()) {
    session->run(initializers);
  }
  return *session;
}

Value ModelState::build_layers(Value x) {
  for (const Layer& layer : layers) {
    if (layer.model()) layer.model()->join(network);
    const std::string name = layer.name().empty() ? network->layer_name(layer.type()) : layer.name();
    const BuiltLayer& built = layer.build(name, x);
    x = layer.apply(x, false);
    std::int64_t parameters = 0;
    for (const Variable& parameter : built.parameters) parameters += element_count(parameter.shape()).constant();
    rows.push_back({name, layer.type(), x.shape(), parameters});
  }
  return x;
}

Value ModelState::apply(Value x, bool training) const {
  for (const Layer& layer : layers) x = layer.apply(x, training);
  return x;
}

bool ModelState::differs_in_training() const {
  for (const Layer& layer : layers) {
    if (layer.built().differs_in_training) return true;
  }
  return false;
}

std::vector<Variable> ModelState::parameters() const {
  std::vector<Variable> all;
  for (const Layer& layer : layers) {
    const auto& parameters = layer.built().parameters;
    all.insert(all.end(), parameters.begin(), parameters.end());
  }
  return all;
}

void ModelState::join(const std::shared_ptr<Network>& other) {
  if (network && network != other) {
    throw GraphError(
        "two models that were built apart cannot become layers of one: their parameters are in two graphs");
  }
  network = other;
}

void ModelState::build_for(const TensorView& x) {
  if (!output.empty()) return;
  for (const Layer& layer : layers) {
    if (!network && layer.model()) network = layer.model()->network;
  }
  if (!network) network = std::make_shared<Network>();
  input = placeholder(network->graph, "input", x.dtype, shape_of_rows(x, dim("batch")));
  // The layers of a model that is a layer of a built one are built already.
  output = rows.empty() ? build_layers(input) : apply(input, false);
}

TrainingGraph& ModelState::training_for(const TensorView& y, std::string_view asked_by) {
  if (!training || !training->loss) {
    throw RunError(fmt::format("{} needs compile() with a loss before it", asked_by));
  }
  if (training_graph) return *training_graph;
  TrainingGraph made;
  Graph& graph = network->graph;
  made.labels = placeholder(graph, "labels", y.dtype, shape_of_rows(y, dim("batch")));
  Shape examples = input.shape();
  examples[0] = dim("examples");
  made.all_examples = placeholder(graph, "all_examples", input.dtype(), examples);
  made.all_labels = placeholder(graph, "all_labels", y.dtype, shape_of_rows(y, dim("examples")));
  made.rows = placeholder(graph, "rows", DType::i64, {dim("batch")});
  const Value trained = apply(gather(made.all_examples, made.rows), true);
  const Value labels = gather(made.all_labels, made.rows);
  const auto measure = [&](std::string name, const auto& function) {
    made.names.push_back(std::move(name));
    made.in_inference.push_back(mean_of(function(made.labels, output)));
    made.in_training.push_back(mean_of(function(labels, trained)));
  };
  measure("loss", training->loss);
  for (const Metric& metric : training->metrics) measure(metric.name, metric.measure);

  optim::Optimizer optimizer = training->optimizer;
  if (const auto rate = optimizer.learning_rate().number()) {
    // A variable, so that callbacks can change it without compiling anew.
    const Value initial = constant(graph, *rate);
    made.learning_rate = variable(network->graph, "learning_rate", initial, {.trainable = false});
    optimizer = optimizer.with_learning_rate(made.learning_rate->value);
  }
  Values trainable;
  for (const Variable& parameter : parameters()) trainable.push_back(parameter.value);
  made.update = optimizer.minimize(made.in_training.front(), trainable);
  return training_graph.emplace(std::move(made));
}

Session& ModelState::session() const {
  if (!network) throw RunError("the model is not built: build() it, or show it data");
  return network->ready(training ? training->session : SessionOptions{});
}

}  // namespace lathe::nn
