#include <lathe/graph/text.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include <lathe/graph/text_syntax.h>

namespace lathe {
namespace {

std::string name_text(std::string_view name) {
  const bool bare = !name.empty() && std::all_of(name.begin(), name.end(), text_syntax::is_name_character);
  return bare ? std::string(name) : text_syntax::quote(name);
}

/// The shortest decimal that reads back as `number`; a NaN other than the usual one shows its bits.
template <class T>
std::string number_text(T number) {
  if constexpr (std::is_same_v<T, bool>) {
    return number ? "true" : "false";
  } else if constexpr (std::is_floating_point_v<T>) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    if (!std::isnan(number)) return fmt::format("{}", number);
    const Bits bits = std::bit_cast<Bits>(number);
    return bits == std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN()) ? "nan" : fmt::format("nan:{:#x}", bits);
  } else {
    return fmt::format("{}", number);
  }
}

std::string tensor_text(const Tensor& tensor, const TextOptions& options) {
  const std::int64_t shown = std::min(tensor.size(), options.max_elements);
  std::string text = fmt::format("{} {{", to_string(tensor.type()));
  dispatch(tensor.dtype(), [&]<class T>(T) {
    const auto elements = tensor.data<T>().first(static_cast<std::size_t>(shown));
    for (std::size_t i = 0; i < elements.size(); ++i) text += (i == 0 ? "" : ", ") + number_text(elements[i]);
  });
  if (shown < tensor.size()) text += fmt::format(", ... {} in all", tensor.size());
  return text + "}";
}

std::string attribute_text(const Attribute& attribute, const TextOptions& options) {
  return std::visit(
      [&]<class T>(const T& value) -> std::string {
        if constexpr (std::is_same_v<T, double>) {
          const std::string text = number_text(value);
          // What tells a number from an integer.
          return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
        } else if constexpr (std::is_same_v<T, std::string>) {
          return text_syntax::quote(value);
        } else if constexpr (std::is_same_v<T, DType>) {
          return std::string(to_string(value));
        } else if constexpr (std::is_same_v<T, Extents>) {
          return fmt::format("({})", fmt::join(value, ", "));
        } else if constexpr (std::is_same_v<T, Shape>) {
          return to_string(value);
        } else if constexpr (std::is_same_v<T, std::shared_ptr<const Tensor>>) {
          return tensor_text(*value, options);
        } else {
          return number_text(value);
        }
      },
      attribute);
}

std::string value_text(ValueId value) {
  const auto node = static_cast<std::uint32_t>(value.node);
  return value.output == 0 ? fmt::format("%{}", node) : fmt::format("%{}:{}", node, value.output);
}

/// "a, b, c" of whatever `text` makes of each item.
template <class Items, class Text>
std::string list(const Items& items, const Text& text) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + text(item);
  return out;
}

std::string node_text(const Graph& graph, NodeId id, const TextOptions& options) {
  const Node& node = graph.node(id);
  std::string text = fmt::format("{} = {}({})", value_text({id, 0}), node.op->name, list(node.inputs, value_text));
  if (node.attributes.size() > 0) {
    text += fmt::format(" {{{}}}", list(node.attributes, [&](const Attributes::Entry& entry) {
                          return fmt::format("{} = {}", entry.first, attribute_text(entry.second, options));
                        }));
  }
  if (!node.control.empty()) {
    text += " after " + list(node.control, [](NodeId before) { return value_text({before, 0}); });
  }
  if (!node.outputs.empty()) {
    text += " : " + list(node.outputs, [](const TensorType& type) { return to_string(type); });
  }
  text += "   # " + name_text(node.name);
  if (options.lines && node.where != SourceLine{})
    text += fmt::format("  {}:{}", name_text(node.where.file), node.where.line);
  if (node.forward) text += "  gradient of " + name_text(*node.forward);
  return text;
}

bool same_node(const Node& a, const Node& b) {
  return a.op == b.op && a.inputs == b.inputs && a.control == b.control && a.attributes == b.attributes &&
         a.outputs == b.outputs && a.name == b.name && a.where == b.where && a.forward == b.forward;
}

}  // namespace

std::string to_text(const Graph& graph, const TextOptions& options) {
  std::string text;
  if (const auto counters = graph.counters(); counters != Graph::Counters{}) {
    text += fmt::format("counters {{symbols = {}, streams = {}}}\n", counters.symbols, counters.streams);
  }
  for (const auto& [symbol, meaning] : graph.equalities()) {
    text += fmt::format("equal {} = {}\n", name_of(symbol), to_string(meaning));
  }
  for (const NodeId id : graph.node_ids()) text += node_text(graph, id, options) + "\n";
  for (const auto& [name, value] : graph.outputs()) {
    text += fmt::format("output {} = {}\n", name_text(name), value_text(value));
  }
  return text;
}

bool same_structure(const Graph& a, const Graph& b) {
  if (a.size() != b.size() || a.counters() != b.counters()) return false;
  if (!std::equal(a.equalities().begin(), a.equalities().end(), b.equalities().begin(), b.equalities().end())) {
    return false;
  }
  if (!std::equal(a.outputs().begin(), a.outputs().end(), b.outputs().begin(), b.outputs().end())) return false;
  const auto ids = a.node_ids();
  return std::all_of(ids.begin(), ids.end(), [&](NodeId id) { return same_node(a.node(id), b.node(id)); });
}

}  // namespace lathe
