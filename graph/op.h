#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/graph/node.h>

namespace lathe {

namespace loop {
class Body;
}

/// What the compiler may assume of an op. This is all that fusion knows: it never sees an op's name.
enum class Kind {
  placeholder,  // fed by the caller
  constant,     // attribute "value" holds the tensor
  variable,     // state that outlives a run; reads see the value from before the run
  assign,       // inputs: a variable and its value after the run; yields the new value
  elementwise,  // an output element depends on the input elements at the same (broadcast) index
  view,         // moves elements, computes nothing
  reduction,
  contraction,  // a sum of products
  gather,       // reads at computed positions
  scatter,      // writes at computed positions
  random,       // depends on the run's seed; two equal nodes are not equal
  effect,       // checks and groups: kept for what it does
  host,         // hands its input to the host in the middle of a run, with attribute "message"; yields it
};

std::string_view to_string(Kind kind);

/// Whether a node of this kind is a function of its inputs and attributes and nothing more: equal nodes are equal, and
/// an unused one can go.
bool is_pure(Kind kind);
/// Whether a run that reaches a node of this kind does something beside computing its outputs.
bool has_effect(Kind kind);

/// An attribute that an op takes. Without a default it must be given.
struct AttributeSpec {
  std::string name;
  std::string doc;
  std::optional<Attribute> default_value;
};

/// What a type rule sees, and how it unifies extents and complains.
struct InferContext {
  Graph& graph;
  const Node& node;  // all but `outputs` is filled in

  std::size_t inputs() const { return node.inputs.size(); }
  const TensorType& in(std::size_t i) const;
  template <class T>
  const T& attribute(std::string_view name) const {
    return node.attributes.get<T>(name);
  }
  /// Throws GraphError: op, name, source line, then `message`.
  [[noreturn]] void fail(std::string_view message) const;
  /// Makes two extents one, learning what their symbols mean, or fails with `message`.
  Dim unify(const Dim& a, const Dim& b, std::string_view message) const;
  /// The shape that two shapes broadcast to by NumPy's rules. A symbol never stands for a 1 that stretches.
  Shape broadcast(const Shape& a, const Shape& b) const;
};

/// What a gradient rule sees. Rules build ordinary nodes, which can be differentiated again.
struct GradientContext {
  Graph& graph;
  NodeId id;
  std::span<const Value> grad_outputs;  // one an output; empty handles where nothing flows back
  std::span<const bool> wanted;         // one an input: whether its gradient is used; all are if this is empty

  const Node& node() const;
  Value in(std::size_t i) const;
  Value y(std::size_t output = 0) const;
  Value dy(std::size_t output = 0) const { return grad_outputs[output]; }
  /// Whether the gradient of input `i` is used. Rules may leave out, as an empty handle, one that is not: where nodes
  /// are computed at once, no later pass will.
  bool wants(std::size_t i) const { return wanted.empty() || wanted[i]; }
  template <class T>
  const T& attribute(std::string_view name) const {
    return node().attributes.get<T>(name);
  }
};

/// What a local rewrite sees: a node about to be added. `inputs` live in the graph under construction.
struct RewriteContext {
  Graph& graph;
  const Op& op;
  std::span<const Value> inputs;
  const Attributes& attributes;
  std::span<const TensorType> outputs;

  template <class T>
  const T& attribute(std::string_view name) const {
    return attributes.get<T>(name);
  }
};

/// One algebraic rule. Returns what to use instead of the node's first output, or nothing. Must not change a bit of
/// the result: x + 0 is not x (it turns -0 into 0), x * 1 is.
struct Rewrite {
  std::string name;
  std::function<std::optional<Value>(const RewriteContext&)> apply;
};

/// Host data in double precision, for references in tests.
struct SampleArray {
  Extents shape;
  std::vector<double> data;
};

/// How to make one input of a sample: uniform values in [low, high), rounded for integers, or the values given.
/// Symbols in the shape stand for the awkward sizes that tests run through.
struct SampleInput {
  DType dtype = DType::f32;
  Shape shape = {};
  double low = -2;
  double high = 2;
  std::vector<double> values = {};
  bool differentiate = true;  // floats only: whether gradient checks perturb this input
};

/// A use of an op with its expected result, from which `every_op_test` checks everything that an op promises.
struct Sample {
  std::vector<SampleInput> in;
  Attributes attributes = {};
  /// The result of one element from its inputs' elements (elementwise ops).
  std::function<double(std::span<const double>)> scalar = {};
  /// The whole first output from whole inputs (all others).
  std::function<SampleArray(std::span<const SampleArray>)> whole = {};
  double tolerance = 1e-5;  // relative to max(1, |reference|), for f32
};

/// A wrong use of an op and a part of the error that it must raise.
struct BadSample {
  std::vector<TensorType> in;
  Attributes attributes = {};
  std::string error;
};

using Samples = std::vector<Sample>;
using BadSamples = std::vector<BadSample>;

/// A list that a function makes whenever somebody asks for it: only tests do, and every process would pay for it.
template <class List>
class Lazy {
 public:
  Lazy() = default;
  template <std::invocable Make>
  Lazy(Make make) : make_(std::move(make)) {}

  List operator()() const { return make_ ? make_() : List{}; }

 private:
  std::function<List()> make_;
};

using GradientRule = std::function<Values(const GradientContext&)>;

/// The definition of one operation; everything that Lathe knows of it.
struct OpSpec {
  std::string name;
  std::string doc;
  Kind kind = Kind::elementwise;
  std::size_t min_inputs = 0;
  std::size_t max_inputs = 0;  // SIZE_MAX for any number
  std::vector<AttributeSpec> attributes = {};
  std::function<std::vector<TensorType>(const InferContext&)> infer = {};
  /// Gradients with respect to the inputs, one an input; an empty handle where none flows.
  GradientRule gradient = {};
  /// Says why there is no gradient rule; exactly one of `gradient` and this is given.
  std::string not_differentiable = {};
  /// Describes an output element as an expression of input elements. Empty for placeholders, constants, variables.
  std::function<void(loop::Body&)> lower = {};
  std::vector<Rewrite> rewrites = {};
  /// In how many of the first inputs no NaN or infinity can hide: every one makes an element of the first output NaN or
  /// infinite, whatever the other elements are. Says nothing of integers.
  std::size_t shows_nonfinite = 0;
  std::string onnx = {};
  Lazy<Samples> samples = {};
  Lazy<BadSamples> bad_samples = {};
};

/// A registered OpSpec. Ops are namespace-scope constants, registered when the library is loaded.
class Op : public OpSpec {
 public:
  Op(OpSpec spec);
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
};

/// All ops, by name.
std::vector<const Op*> all_ops();
/// The op called `name`, or null.
const Op* find_op(std::string_view name);

}  // namespace lathe
