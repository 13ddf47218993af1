#include <lathe/runtime/program_record.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <cereal/archives/binary.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

namespace lathe {
namespace {

/// A tensor attribute of a node.
struct Place {
  std::uint32_t node = 0;
  std::string attribute;
};

struct Constant {
  std::size_t tensor = 0;
  std::optional<Place> place;  // where the graph has it, or else:
  DType dtype = DType::f32;
  Extents extents;
  std::vector<char> bytes;
};

struct Check {
  std::optional<std::uint32_t> node;  // of the graph, or else:
  std::string made;                   // a node that passes made
  std::string message;
};

/// What is written: a ProgramRecord, with references to the graph's nodes.
struct Written {
  ProgramInterface interface;  // without symbols, constants and checks
  std::vector<std::string> symbols;
  std::size_t tensors = 0;
  std::vector<Constant> constants;
  std::vector<Check> checks;
  SlotNames slots;
};

std::optional<Place> find_tensor(const Graph& graph, const std::shared_ptr<const Tensor>& tensor) {
  for (const NodeId id : graph.node_ids()) {
    for (const auto& [name, value] : graph.node(id).attributes) {
      const auto* held = std::get_if<std::shared_ptr<const Tensor>>(&value);
      if (held && *held == tensor) return Place{static_cast<std::uint32_t>(id), name};
    }
  }
  return std::nullopt;
}

Constant written(const Graph& graph, std::size_t number, const std::shared_ptr<const Tensor>& tensor) {
  Constant out{.tensor = number, .place = find_tensor(graph, tensor), .extents = {}, .bytes = {}};
  if (out.place) return out;
  out.dtype = tensor->dtype();
  out.extents = tensor->shape();
  out.bytes.resize(tensor->bytes().size());
  if (!out.bytes.empty()) std::memcpy(out.bytes.data(), tensor->bytes().data(), out.bytes.size());
  return out;
}

std::shared_ptr<const Tensor> read(const Graph& graph, const Constant& constant) {
  if (constant.place) {
    const Node& node = graph.node(NodeId{constant.place->node});
    return node.attributes.get<std::shared_ptr<const Tensor>>(constant.place->attribute);
  }
  auto tensor = std::make_shared<Tensor>(constant.dtype, constant.extents);
  const std::span<std::byte> bytes = tensor->bytes();
  if (bytes.size() != constant.bytes.size()) throw DataError("a constant of its record has another size");
  if (!bytes.empty()) std::memcpy(bytes.data(), constant.bytes.data(), bytes.size());
  return tensor;
}

Check written(const Graph& graph, const loop::CheckInfo& check) {
  const std::vector<NodeId> ids = graph.node_ids();
  const auto found =
      std::find_if(ids.begin(), ids.end(), [&](NodeId id) { return describe(graph.node(id)) == check.node; });
  if (found == ids.end()) return {std::nullopt, check.node, check.message};
  return {static_cast<std::uint32_t>(*found), {}, check.message};
}

}  // namespace

// How each type is written and read, where the archive looks for it.

template <class Archive>
void save(Archive& archive, const Dim& dim) {
  archive(to_string(dim));
}
template <class Archive>
void load(Archive& archive, Dim& dim) {
  std::string text;
  archive(text);
  const std::optional<Dim> parsed = parse_dim(text);
  if (!parsed) throw DataError(fmt::format("its record has the extent '{}'", text));
  dim = *parsed;
}

template <class Archive>
void serialize(Archive& archive, TensorType& type) {
  archive(type.dtype, type.shape);
}
template <class Archive>
void serialize(Archive& archive, Exchange& exchange) {
  archive(exchange.output, exchange.variable);
}
template <class Archive>
void serialize(Archive& archive, ProgramInterface::Print& print) {
  archive(print.step, print.message, print.type, print.panel);
}
template <class Archive>
void serialize(Archive& archive, ProgramInterface& interface) {
  archive(interface.inputs, interface.variables, interface.outputs, interface.exchanges, interface.arena_bytes,
          interface.prints, interface.steps, interface.kernels);
}
template <class Archive>
void serialize(Archive& archive, SlotNames::Variable& variable) {
  archive(variable.name, variable.read, variable.assigned);
}
template <class Archive>
void serialize(Archive& archive, SlotNames& slots) {
  archive(slots.inputs, slots.variables);
}

namespace {

template <class Archive>
void serialize(Archive& archive, Place& place) {
  archive(place.node, place.attribute);
}
template <class Archive>
void serialize(Archive& archive, Constant& constant) {
  archive(constant.tensor, constant.place, constant.dtype, constant.extents, constant.bytes);
}
template <class Archive>
void serialize(Archive& archive, Check& check) {
  archive(check.node, check.made, check.message);
}
template <class Archive>
void serialize(Archive& archive, Written& record) {
  archive(record.interface, record.symbols, record.tensors, record.constants, record.checks, record.slots);
}

}  // namespace

std::string write_record(const ProgramRecord& record, const Graph& source) {
  Written out{.interface = record.interface,
              .symbols = {},
              .tensors = record.interface.constants.size(),
              .constants = {},
              .checks = {},
              .slots = record.slots};
  for (const SymbolId id : record.interface.symbols) out.symbols.emplace_back(name_of(id));
  for (std::size_t i = 0; i < out.tensors; ++i) {
    const auto& constant = record.interface.constants[i];
    if (constant) out.constants.push_back(written(source, i, constant));
  }
  for (const loop::CheckInfo& check : record.interface.checks) out.checks.push_back(written(source, check));
  std::ostringstream stream;
  cereal::BinaryOutputArchive archive(stream);
  archive(out);
  return std::move(stream).str();
}

ProgramRecord read_record(std::string_view bytes, const Graph& source) {
  Written in;
  try {
    std::istringstream stream{std::string(bytes)};
    cereal::BinaryInputArchive archive(stream);
    archive(in);
  } catch (const cereal::Exception& error) {
    throw DataError(fmt::format("its record cannot be read: {}", error.what()));
  }
  ProgramRecord out{std::move(in.interface), std::move(in.slots)};
  for (const std::string& name : in.symbols) out.interface.symbols.push_back(symbol(name));
  out.interface.constants.resize(in.tensors);
  for (const Constant& constant : in.constants) out.interface.constants.at(constant.tensor) = read(source, constant);
  for (Check& check : in.checks) {
    out.interface.checks.push_back(
        {check.node ? describe(source.node(NodeId{*check.node})) : std::move(check.made), std::move(check.message)});
  }
  return out;
}

}  // namespace lathe
