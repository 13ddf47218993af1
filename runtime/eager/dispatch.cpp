// The part of State that runs ops.
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/denormals.h>
#include <lathe/graph/passes/assert_finite.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/reshape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/debug/finite.h>
#include <lathe/runtime/eager/array.h>
#include <lathe/runtime/eager/state.h>
#include <lathe/runtime/eager/trace.h>
#include <lathe/runtime/host.h>
#include <lathe/runtime/run_program.h>

namespace lathe::eager {
namespace {

/// Sizes that never come again must not pile up: beyond so many, what is known of calls is found out anew.
constexpr std::size_t most_calls = 8192;

const Attributes no_attributes;

std::uint64_t hash_of(const Attributes& attributes) {
  std::uint64_t hash = attributes.size();
  for (const auto& [name, value] : attributes) {
    if (const Shape* shape = std::get_if<Shape>(&value)) {
      for (const Dim& extent : *shape) hash = mix(hash, static_cast<std::uint64_t>(extent.as_constant().value_or(-1)));
    } else {
      hash = mix(hash, lathe::hash_of(value));
    }
  }
  return hash;
}

/// Ops whose result is the first input under another name or shape.
bool is_another_handle(const Op& op) {
  for (const Op* alike :
       {&op::reshape, &op::expand_dims, &op::squeeze, &op::identity, &op::stop_gradient, &op::with_dependencies}) {
    if (alike == &op) return true;
  }
  return false;
}

/// Throws GraphError if an extent is a symbol, which stands for nothing where arrays are computed at once.
void require_numbers(const Node& node, const Shape& shape) {
  const auto is_number = [](const Dim& extent) { return extent.is_constant() || extent.is_unknown(); };
  if (std::all_of(shape.begin(), shape.end(), is_number)) return;
  throw GraphError(
      fmt::format("{}: {} holds a symbol, and the extents of arrays are numbers", describe(node), to_string(shape)));
}

/// Where a slice lies in its input, in elements, if it is in one piece.
std::optional<std::int64_t> offset_of_slice(const Node& node, const Shape& from) {
  const Shape& begin = node.attributes.get<Shape>("begin");
  const Shape& extents = node.outputs.front().shape;
  std::int64_t offset = 0;
  bool inside = false;  // a row of several elements was begun: what follows must be whole
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    const std::int64_t extent = extents[axis].constant();
    if (inside && (extent != from[axis].constant() || extent == 0)) return std::nullopt;
    if (extent > 1 && node.attributes.get<Extents>("steps")[axis] != 1) return std::nullopt;
    inside = inside || extent != 1;
    offset = offset * from[axis].constant() + begin[axis].constant();
  }
  return offset;
}

/// While it lives, kernels run: their time goes into the statistics of a context that profiles.
class KernelTime {
 public:
  explicit KernelTime(State& state) : state_(state) {
    if (state.options.profile) start_ = Clock::now();
  }
  ~KernelTime() {
    if (!state_.options.profile) return;
    state_.counters.kernel_microseconds += std::chrono::duration<double, std::micro>(Clock::now() - start_).count();
  }
  KernelTime(const KernelTime&) = delete;
  KernelTime& operator=(const KernelTime&) = delete;

 private:
  using Clock = std::chrono::steady_clock;

  State& state_;
  Clock::time_point start_;
};

}  // namespace

Value State::apply(Graph::NodeSpec spec) {
  if (tracing) return tracing->apply(std::move(spec));
  return dispatch(spec.op, spec.inputs, spec.attributes, spec.name, spec.where);
}

Value State::apply(const Op& op, std::span<const Value> inputs, const std::source_location& where) {
  if (tracing) return tracing->apply(op, inputs, where);
  return dispatch(op, inputs, no_attributes, {}, where);
}

Value State::dispatch(const Op& op, std::span<const Value> inputs, const Attributes& attributes, std::string_view name,
                      const SourceLine& where) {
  const SourceLine line = graph.line_of(where);
  check_inputs(op, inputs, line);
  ++counters.dispatches;
  if (auto done = without_call(op, inputs, attributes, name, line)) return *std::move(done);
  const Call& call = find(op, inputs, attributes, line);
  Value output = compute(call, inputs, line);
  if (recording_ != 0) record(output, inputs, line);
  return output;
}

void State::check_inputs(const Op& op, std::span<const Value> inputs, const SourceLine& where) const {
  for (const Value& input : inputs) {
    if (&input.graph() == &graph) continue;
    const std::string what = input.empty() ? "is an empty Value, never set or moved from"
                                           : fmt::format("is {} of another context or graph", describe(input.node()));
    throw GraphError(fmt::format("{} ({}): an input {}", op.name, describe(where), what));
  }
}

std::optional<Value> State::without_call(const Op& op, std::span<const Value> inputs, const Attributes& attributes,
                                         std::string_view name, const SourceLine& where) {
  switch (op.kind) {
    case Kind::variable: return new_variable(op, attributes, name, where);
    case Kind::assign: {
      complete_node(op, inputs, attributes, where);
      assign(inputs[0].id().node, inputs[1].id().node);
      const Attribute* first = attributes.find("initializer");
      return first && *first == Attribute(true) ? inputs[0] : inputs[1];
    }
    case Kind::constant: {
      const Tensor& tensor = *attributes.get<std::shared_ptr<const Tensor>>("value");
      Value value = adopt(tensor);
      if (tensor.rank() == 0) at(value.id().node).prototype = prototype_of(complete_node(op, {}, attributes, where));
      return value;
    }
    case Kind::placeholder: {
      if (&op == &op::run_seed) {
        const auto drawn = static_cast<std::int64_t>(next_seed());
        return adopt(Tensor::scalar(drawn));
      }
      throw GraphError(fmt::format("{} '{}' ({}): arrays are computed at once and nothing is fed: use context.array()",
                                   op.name, name, describe(where)));
    }
    case Kind::effect:
      if (&op == &op::group) return scalar(DType::boolean, 1, std::source_location::current());
      return std::nullopt;
    default: return std::nullopt;
  }
}

Value State::new_variable(const Op& op, const Attributes& attributes, std::string_view name, const SourceLine& where) {
  Node node = complete_node(op, {}, attributes, where);
  const bool trainable = node.attributes.get<bool>("trainable");
  node.name = graph.scope() + (name.empty() ? node.name : std::string(name));
  // Optimizers know variables by their names.
  if (const int before = variable_names_[node.name]++; before > 0) node.name += fmt::format("_{}", before);
  TypeRef type = type_of(node.outputs.front());
  Value value = new_array(std::make_shared<const Prototype>(Prototype{std::move(node), std::move(type)}));
  at(value.id().node).is_variable = true;
  at(value.id().node).trainable = trainable;
  return value;
}

Node State::complete_node(const Op& op, std::span<const Value> inputs, const Attributes& attributes,
                          const SourceLine& where) {
  Node node;
  node.op = &op;
  node.attributes = attributes;
  node.name = op.name;
  node.where = where;
  for (const Value& input : inputs) node.inputs.push_back(input.id());
  for (const auto& [attribute, value] : attributes) {
    if (const Shape* shape = std::get_if<Shape>(&value)) require_numbers(node, *shape);
  }
  graph.complete(node);
  if (node.outputs.size() != 1) ensure(false, fmt::format("'{}' has more than one output", op.name));
  return node;
}

const State::Call& State::find(const Op& op, std::span<const Value> inputs, const Attributes& attributes,
                               const SourceLine& where) {
  std::uint64_t hash = mix(std::bit_cast<std::uintptr_t>(&op), inputs.size());
  for (const Value& input : inputs) {
    hash = mix(hash, std::bit_cast<std::uintptr_t>(at(input.id().node).prototype->type.get()));
  }
  if (attributes.size() > 0) hash = mix(hash, hash_of(attributes));
  const auto [begin, end] = calls_.equal_range(hash);
  for (auto known = begin; known != end; ++known) {
    const Call& call = known->second;
    const auto same = [&](const TypeRef& type, const Value& input) {
      return type == at(input.id().node).prototype->type;
    };
    if (call.op == &op && std::equal(call.inputs.begin(), call.inputs.end(), inputs.begin(), inputs.end(), same) &&
        call.attributes == attributes) {
      return call;
    }
  }
  if (calls_.size() == most_calls) {
    calls_.clear();
    std::erase_if(sources_, [](const auto& known) { return known.second.use_count() == 1; });
  }
  return calls_.emplace(hash, make_call(op, inputs, attributes, where))->second;
}

State::Call State::make_call(const Op& op, std::span<const Value> inputs, const Attributes& attributes,
                             const SourceLine& where) {
  Call call;
  call.op = &op;
  call.attributes = attributes;
  Node node = complete_node(op, inputs, attributes, where);
  std::vector<TensorType> types;
  for (const Value& input : inputs) {
    types.push_back(input.type());
    call.inputs.push_back(at(input.id().node).prototype->type);
    call.bytes_moved += call.inputs.back()->bytes;
  }
  call.bytes_moved += type_of(node.outputs.front())->bytes;
  const std::optional<std::int64_t> offset = is_another_handle(op) ? std::optional<std::int64_t>(0)
                                             : &op == &op::slice   ? offset_of_slice(node, types[0].shape)
                                                                   : std::nullopt;
  if (offset) {
    call.offset = static_cast<std::size_t>(*offset) * size_of(types[0].dtype);
  } else {
    call.kernel = kernels.find(node, types);
  }
  call.result = prototype_of(std::move(node));
  return call;
}

void State::require_finite(const Value& output, const Call& call, const SourceLine& where) {
  if (!asserts_finite(call.result->node)) return;
  const eager::Array array(output);
  const Tensor tensor = array.tensor();
  if (const auto bad = debug::first_not_finite(tensor)) {
    throw RunError(fmt::format("{} ({}): {}", call.op->name, describe(where), debug::element_is(tensor, *bad)));
  }
}

State::Outcome State::run(const Executable& executable, const Bindings& bindings, std::size_t arena_bytes,
                          abi::Arguments arguments) {
  if (arena_bytes > arena.bytes().size()) arena.resize(std::array{static_cast<std::int64_t>(arena_bytes)});
  Host host{executable.interface(), bindings, options, nullptr};
  const bool alone = pool.threads() == 1;
  arguments.constants = executable.constants();
  arguments.arena = arena.bytes().data();
  arguments.parallel_for = alone ? nullptr : &ThreadPool::parallel_for;
  arguments.parallel_context = alone ? nullptr : &pool;
  arguments.host = &Host::call;
  arguments.host_context = &host;
  const FlushDenormals flush;
  const KernelTime time(*this);
  const auto failure = try_program(executable, arguments);
  return {failure, host.thrown};
}

Value State::compute(const Call& call, std::span<const Value> inputs, const SourceLine& where) {
  if (!call.kernel) return alias(call.result, at(inputs[0].id().node), call.offset);
  const BoundKernel& kernel = *call.kernel;
  const Executable& executable = *kernel.kernel->executable;
  constexpr std::size_t few = 8;
  std::array<const void*, few> few_addresses;
  std::vector<const void*> many_addresses;
  std::span<const void*> addresses(few_addresses);
  const std::size_t count = kernel.kernel->inputs.size();
  if (count > few) {
    many_addresses.resize(count);
    addresses = many_addresses;
  }
  for (std::size_t i = 0; i < count; ++i) addresses[i] = data(at(inputs[kernel.kernel->inputs[i]].id().node));
  Buffer& buffer = buffers.take(call.result->type->bytes);
  Value output = new_array(call.result, buffer, 0);
  void* result = buffer.address;
  abi::Arguments arguments{};
  arguments.inputs = addresses.data();
  arguments.outputs = &result;
  arguments.symbols = kernel.symbols.data();
  const auto [failure, thrown] = run(executable, kernel.bindings, kernel.arena_bytes, arguments);
  ++counters.kernels;
  counters.bytes_moved += call.bytes_moved;
  if (failure) {
    const loop::CheckInfo& check = check_of(executable, *failure);
    throw RunError(check_message({fmt::format("{} ({})", call.op->name, describe(where)), check.message}, *failure));
  }
  if (thrown) std::rethrow_exception(thrown);
  if (options.assert_all_finite) require_finite(output, call, where);
  return output;
}

}  // namespace lathe::eager
