#include <lathe/runtime/eager/state.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/denormals.h>
#include <lathe/codegen/layout.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/reshape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/eager/trace.h>
#include <lathe/runtime/host.h>
#include <lathe/runtime/run_program.h>
#include <lathe/runtime/seeds.h>

namespace lathe::eager {
namespace {

/// Sizes that never come again must not pile up: beyond so many, what is known of calls is found out anew.
constexpr std::size_t most_calls = 8192;
constexpr std::size_t most_scalars = 256;

const Attributes no_attributes;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

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

}  // namespace

State::State(SessionOptions the_options)
    : options(with_environment(std::move(the_options))), pool(options.threads), kernels(options), seed(options.seed) {
  graph.dispatch_to(*this, this);
}

State& State::of(const Value& array, std::string_view role) {
  if (array.empty()) throw GraphError(fmt::format("{} is an empty Value, never set or moved from", role));
  if (auto* state = dynamic_cast<State*>(array.graph().dispatcher())) return *state;
  throw GraphError(fmt::format("{} is {}, which is symbolic: it has no elements while a graph is built", role,
                               describe(array.node())));
}

// ---- Handles

void State::retain(NodeId id) noexcept {
  ++at(id).handles;
  ++handles_;
}

void State::release(NodeId id) noexcept {
  ++releasing_;
  --handles_;
  if (--at(id).handles == 0) free(id);
  if (--releasing_ == 0 && abandoned_ && handles_ == 0) delete this;
}

void State::abandon() {
  for (auto& known : scalars_) known.clear();
  abandoned_ = true;
  if (handles_ == 0) delete this;
}

void State::free(NodeId id) noexcept {
  Array& array = at(id);
  if (array.buffer) buffers.drop_user(*array.buffer);
  const Array gone = std::exchange(array, Array());
  unused_.push_back(id);
  --counters.arrays;
}

const Node& State::node(NodeId id) const {
  const Array& array = at(id);
  return array.recorded ? *array.recorded : array.prototype->node;
}

bool State::truth(const Value& array) const {
  const TensorType& type = array.type();
  if (type.dtype != DType::boolean || element_count(extents(array.id().node)) != 1) {
    throw GraphError(
        fmt::format("{} is {}: only a bool of one element is true or false", describe(array.node()), to_string(type)));
  }
  const Array& of = at(array.id().node);
  return of.buffer->address[of.offset] != std::byte{0};
}

Value State::new_array(PrototypeRef prototype) {
  if (unused_.empty()) {
    unused_.push_back(static_cast<NodeId>(arrays_.size()));
    arrays_.emplace_back();
  }
  const NodeId id = unused_.back();
  unused_.pop_back();
  at(id).prototype = std::move(prototype);
  ++counters.arrays;
  return {graph, {id, 0}};
}

Value State::new_array(PrototypeRef prototype, Buffer& buffer, std::size_t offset) {
  Value value = new_array(std::move(prototype));
  Array& array = at(value.id().node);
  array.buffer = &buffer;
  array.offset = offset;
  return value;
}

State::TypeRef State::type_of(const TensorType& type) {
  return source_of(type)->type;
}

State::PrototypeRef State::source_of(const TensorType& type) {
  std::uint64_t hash = static_cast<std::uint64_t>(type.dtype);
  for (const Dim& extent : type.shape) hash = mix(hash, static_cast<std::uint64_t>(extent.constant()));
  const auto [begin, end] = types_.equal_range(hash);
  for (auto known = begin; known != end; ++known) {
    if (known->second.type->type == type) return known->second.source;
  }
  Extents extents = evaluate(type.shape, {});
  const auto bytes = static_cast<std::size_t>(element_count(extents)) * size_of(type.dtype);
  const auto known = std::make_shared<const ArrayType>(ArrayType{type, std::move(extents), bytes});
  Node node;
  node.op = &op::placeholder;
  node.attributes = {{"dtype", type.dtype}, {"shape", type.shape}};
  node.outputs = {type};
  node.name = "array";
  auto source = std::make_shared<const Prototype>(Prototype{std::move(node), known});
  return types_.emplace(hash, KnownType{known, std::move(source)})->second.source;
}

State::PrototypeRef State::prototype_of(Node node) {
  TypeRef type = type_of(node.outputs.front());
  node.inputs.clear();
  node.where = {};
  return std::make_shared<const Prototype>(Prototype{std::move(node), std::move(type)});
}

// ---- What arrays hold

Value State::adopt(const TensorView& tensor) {
  const PrototypeRef source = source_of({tensor.dtype, to_shape({tensor.shape.begin(), tensor.shape.end()})});
  Buffer& buffer = buffers.take(source->type->bytes);
  if (source->type->bytes > 0) std::memcpy(buffer.address, tensor.data, source->type->bytes);
  return new_array(source, buffer, 0);
}

TensorView State::view(const Value& value) {
  Array& array = at(value.id().node);
  return {array.prototype->type->type.dtype, array.prototype->type->extents, data(array)};
}

const std::byte* State::data(Array& array) {
  if (!array.buffer) throw RunError(fmt::format("variable '{}' has no value yet", array.prototype->node.name));
  if (array.buffer->panel != 0) {
    const ArrayType& type = *array.prototype->type;
    const Extents panels = panel_extents(type.extents, array.buffer->panel);
    const Tensor rows = from_panels({type.type.dtype, panels, array.buffer->address});
    Buffer& buffer = buffers.take(type.bytes);
    std::memcpy(buffer.address, rows.bytes().data(), type.bytes);
    buffers.drop_user(*std::exchange(array.buffer, &buffer));
  }
  return array.buffer->address + array.offset;
}

State::Output State::make(const TensorType& type) {
  const PrototypeRef source = source_of(type);
  Buffer& buffer = buffers.take(source->type->bytes);
  return {new_array(source, buffer, 0), buffer.address};
}

void* State::exclusive(NodeId variable, std::int64_t panel) {
  Array& array = at(variable);
  const ArrayType& type = *array.prototype->type;
  array.read.reset();
  if (array.buffer && array.buffer->users == 1 && array.buffer->panel == panel && array.offset == 0) {
    return array.buffer->address;
  }
  if (array.buffer && array.buffer->panel != panel) data(array);  // in rows
  Buffer& buffer = buffers.take(type.bytes);
  if (array.buffer && panel != 0) {
    const Tensor panels = to_panels({type.type.dtype, type.extents, data(array)}, panel);
    std::memcpy(buffer.address, panels.bytes().data(), type.bytes);
  } else if (array.buffer) {
    std::memcpy(buffer.address, array.buffer->address + array.offset, type.bytes);
  }
  buffer.panel = panel;
  if (array.buffer) buffers.drop_user(*array.buffer);
  array.buffer = &buffer;
  array.offset = 0;
  return buffer.address;
}

void State::assign(NodeId variable, NodeId value) {
  Array& to = at(variable);
  Array& from = at(value);
  data(from);
  buffers.add_user(*from.buffer);
  if (to.buffer) buffers.drop_user(*to.buffer);
  to.buffer = from.buffer;
  to.offset = from.offset;
  to.read.reset();
}

void State::forget(NodeId variable) {
  Array& array = at(variable);
  if (array.buffer) buffers.drop_user(*std::exchange(array.buffer, nullptr));
}

std::uint64_t State::next_seed() {
  return split_mix(seed, draws++);
}

Value State::scalar(DType dtype, std::uint64_t bits, const std::source_location& where) {
  if (tracing) return tracing->scalar(dtype, bits, where);
  auto& known = scalars_[static_cast<std::size_t>(dtype)];
  if (const auto found = known.find(bits); found != known.end()) return found->second;
  if (known.size() == most_scalars) known.clear();
  Tensor number(dtype, {});
  std::memcpy(number.bytes().data(), &bits, number.bytes().size());
  return known.emplace(bits, constant(graph, std::move(number), where)).first->second;
}

// ---- Ops

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
  graph.complete(node);
  ensure(node.outputs.size() == 1, fmt::format("'{}' has more than one output", op.name));
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
    std::erase_if(types_, [](const auto& known) { return known.second.source.use_count() == 1; });
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

Value State::compute(const Call& call, std::span<const Value> inputs, const SourceLine& where) {
  if (!call.kernel) {
    Array& input = at(inputs[0].id().node);
    data(input);
    buffers.add_user(*input.buffer);
    return new_array(call.result, *input.buffer, input.offset + call.offset);
  }
  const BoundKernel& kernel = *call.kernel;
  const Executable& executable = *kernel.kernel->executable;
  if (kernel.arena_bytes > arena.bytes().size()) {
    arena.resize(std::array{static_cast<std::int64_t>(kernel.arena_bytes)});
  }
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
  Host host{executable.interface(), kernel.bindings, options.print, nullptr};
  const bool alone = pool.threads() == 1;
  const FlushDenormals flush;
  const auto failure = try_program(executable, {.inputs = addresses.data(),
                                                .outputs = &result,
                                                .variables = nullptr,
                                                .constants = executable.constants(),
                                                .arena = arena.bytes().data(),
                                                .symbols = kernel.symbols.data(),
                                                .parallel_for = alone ? nullptr : &ThreadPool::parallel_for,
                                                .parallel_context = alone ? nullptr : &pool,
                                                .host = &Host::call,
                                                .host_context = &host,
                                                .failure = nullptr,
                                                .ticks = nullptr});
  ++counters.kernels;
  counters.bytes_moved += call.bytes_moved;
  if (failure) {
    const loop::CheckInfo& check = check_of(executable, *failure);
    throw RunError(check_message({fmt::format("{} ({})", call.op->name, describe(where)), check.message},
                                 fmt::format("{}", failure->index), fmt::format("{}", failure->detail)));
  }
  if (host.thrown) std::rethrow_exception(host.thrown);
  return output;
}

// ---- Tapes

std::uint32_t State::start_tape(TapeRecord& tape) {
  const auto free_one = std::find(tapes_.begin(), tapes_.end(), nullptr);
  if (free_one == tapes_.end()) throw GraphError(fmt::format("more than {} tapes at a time", tapes_.size()));
  *free_one = &tape;
  const auto number = static_cast<std::uint32_t>(free_one - tapes_.begin());
  recording_ |= 1U << number;
  return number;
}

void State::stop_tape(std::uint32_t number) {
  recording_ &= ~(1U << number);
  tapes_[number] = nullptr;
  for (Array& array : arrays_) {
    array.tapes &= ~(1U << number);
    // What the record refers to may go now.
    if (array.tapes == 0) array.recorded.reset();
  }
}

bool State::follows(std::uint32_t tape, const Value& array) const {
  const Array& known = at(array.id().node);
  return (known.tapes >> tape & 1U) != 0 || (known.trainable && tapes_[tape]->watch_variables);
}

std::uint32_t State::recording_tapes(const Value& input) const {
  std::uint32_t tapes = 0;
  for (std::uint32_t number = 0; recording_ >> number != 0; ++number) {
    if ((recording_ >> number & 1U) != 0 && follows(number, input)) tapes |= 1U << number;
  }
  return tapes;
}

/// Lets the tapes that follow an input follow the output.
void State::record(const Value& output, std::span<const Value> inputs, const SourceLine& where) {
  if (!is_float(output.dtype())) return;
  std::uint32_t tapes = 0;
  for (const Value& input : inputs) tapes |= recording_tapes(input);
  if (tapes == 0) return;
  Node node = output.node();
  node.where = where;
  Values seen;  // where a variable is read, what it holds now
  for (const Value& input : inputs) {
    seen.push_back(is_variable(input.id().node) ? read_on_tapes(input, recording_tapes(input), where) : input);
    node.inputs.push_back(seen.back().id());
  }
  keep(output, std::move(node), std::move(seen), tapes);
}

/// The present value of a variable as an array of its own, so that an assignment does not change what was recorded.
Value State::read_on_tapes(const Value& variable, std::uint32_t tapes, const SourceLine& where) {
  Array& array = at(variable.id().node);
  if (!array.read) {
    data(array);
    Node identity = complete_node(op::identity, {&variable, 1}, no_attributes, where);
    buffers.add_user(*array.buffer);
    array.read = new_array(prototype_of(std::move(identity)), *array.buffer, array.offset);
  }
  const Value read = *array.read;
  const std::uint32_t unaware = tapes & ~at(read.id().node).tapes;
  if (unaware == 0) return read;
  Node node = at(read.id().node).prototype->node;
  node.where = where;
  node.inputs = {variable.id()};
  keep(read, std::move(node), {variable}, unaware);
  return read;
}

void State::keep(const Value& output, Node node, Values inputs, std::uint32_t tapes) {
  Array& array = at(output.id().node);
  array.recorded = std::make_shared<const Node>(std::move(node));
  array.tapes |= tapes;
  for (std::uint32_t number = 0; number < tapes_.size(); ++number) {
    if ((tapes >> number & 1U) == 0) continue;
    TapeRecord& tape = *tapes_[number];
    tape.order.push_back(output.id().node);
    tape.kept.push_back(output);
    tape.kept.insert(tape.kept.end(), inputs.begin(), inputs.end());
  }
}

}  // namespace lathe::eager
