#include <lathe/runtime/eager/state.h>

#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/layout.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/eager/trace.h>
#include <lathe/runtime/seeds.h>

namespace lathe::eager {
namespace {

/// Programs that make numbers without end must not pile them up.
constexpr std::size_t most_scalars = 256;

}  // namespace

State::State(SessionOptions the_options)
    : options(fill_from_environment(std::move(the_options))),
      pool(options.threads),
      kernels(options),
      seed(options.seed) {
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

Value State::alias(PrototypeRef prototype, Array& of, std::size_t offset) {
  data(of);
  buffers.add_user(*of.buffer);
  return new_array(std::move(prototype), *of.buffer, of.offset + offset);
}

State::TypeRef State::type_of(const TensorType& type) {
  return source_of(type)->type;
}

State::PrototypeRef State::source_of(const TensorType& type) {
  std::uint64_t hash = static_cast<std::uint64_t>(type.dtype);
  for (const Dim& extent : type.shape) hash = mix(hash, static_cast<std::uint64_t>(extent.constant()));
  const auto [begin, end] = sources_.equal_range(hash);
  for (auto known = begin; known != end; ++known) {
    if (known->second->type->type == type) return known->second;
  }
  Extents extents = evaluate(type.shape, {});
  const auto bytes = static_cast<std::size_t>(element_count(extents)) * size_of(type.dtype);
  Node node;
  node.op = &op::placeholder;
  node.attributes = {{"dtype", type.dtype}, {"shape", type.shape}};
  node.outputs = {type};
  node.name = "array";
  auto known = std::make_shared<const ArrayType>(ArrayType{type, std::move(extents), bytes});
  return sources_.emplace(hash, std::make_shared<const Prototype>(Prototype{std::move(node), std::move(known)}))
      ->second;
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

Value State::snapshot(const Value& value) {
  if (!is_variable(value.id().node)) return value;
  Array& variable = at(value.id().node);
  return alias(source_of(variable.prototype->type->type), variable);
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

}  // namespace lathe::eager
