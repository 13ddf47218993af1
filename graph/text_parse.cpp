#include <bit>
#include <charconv>
#include <limits>
#include <unordered_map>

#include <fmt/format.h>

#include <lathe/graph/text.h>
#include <lathe/graph/text_syntax.h>

namespace lathe {
namespace {

using text_syntax::Cursor;

/// All of `text` as a number of base 10, or nothing.
template <class T>
std::optional<T> parse_decimal(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  if constexpr (std::is_same_v<T, bool>) {
    return text == "true" ? std::optional(true) : text == "false" ? std::optional(false) : std::nullopt;
  } else if constexpr (std::is_floating_point_v<T>) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr std::string_view nan_with_bits = "nan:0x";
    if (text == "nan") return std::numeric_limits<T>::quiet_NaN();
    if (!text.starts_with(nan_with_bits)) return parse_decimal<T>(text);
    Bits bits = 0;
    text.remove_prefix(nan_with_bits.size());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, 16);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return std::bit_cast<T>(bits);
  } else {
    return parse_decimal<T>(text);
  }
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

/// Calls `item` for each of a list that opens and closes with these; commas between.
template <class Item>
void parse_list(Cursor& in, std::string_view open, std::string_view close, const Item& item) {
  in.expect(open);
  if (in.take(close)) return;
  do item();
  while (in.take(","));
  in.expect(close);
}

Dim parse_extent(Cursor& in, std::string_view ends) {
  const std::string_view text = trimmed(in.until(ends));
  if (text == "?") return None;
  const auto extent = parse_dim(text);
  if (!extent) in.fail(fmt::format("'{}' is no extent", text));
  return *extent;
}

Shape parse_shape(Cursor& in) {
  Shape shape;
  parse_list(in, "[", "]", [&] { shape.push_back(parse_extent(in, ",]")); });
  return shape;
}

Tensor parse_tensor(Cursor& in, DType dtype) {
  Extents extents;
  for (const Dim& extent : parse_shape(in)) {
    if (!extent.as_constant()) in.fail("a tensor's extents are numbers");
    extents.push_back(extent.constant());
  }
  return dispatch(dtype, [&]<class T>(T) {
    std::vector<std::uint8_t> truths;  // vector<bool> has no span
    std::vector<T> elements;
    parse_list(in, "{", "}", [&] {
      const std::string_view text = trimmed(in.until(",}"));
      if (text.starts_with("...")) in.fail("the tensor was cut short for reading and cannot be parsed");
      const auto element = parse_number<T>(text);
      if (!element) in.fail(fmt::format("'{}' is no {}", text, to_string(dtype)));
      if constexpr (std::is_same_v<T, bool>) {
        truths.push_back(*element ? 1 : 0);
      } else {
        elements.push_back(*element);
      }
    });
    if constexpr (std::is_same_v<T, bool>) {
      const auto* bytes = reinterpret_cast<const bool*>(truths.data());
      return Tensor::from<bool>(extents, std::span(bytes, truths.size()));
    } else {
      return Tensor::from<T>(extents, std::span<const T>(elements));
    }
  });
}

Attribute parse_attribute(Cursor& in) {
  if (in.peek() == '"') return in.quoted();
  if (in.peek() == '[') return parse_shape(in);
  if (in.peek() == '(') {
    Extents extents;
    parse_list(in, "(", ")", [&] {
      const auto number = parse_number<std::int64_t>(trimmed(in.until(",)")));
      if (!number) in.fail("an integer expected");
      extents.push_back(*number);
    });
    return extents;
  }
  const std::string_view word = in.until(" ,}[");
  if (const auto dtype = parse_dtype(word)) {
    if (in.peek() != '[') return *dtype;
    return std::make_shared<const Tensor>(parse_tensor(in, *dtype));
  }
  if (const auto truth = parse_number<bool>(word)) return *truth;
  if (const auto integer = parse_number<std::int64_t>(word)) return *integer;
  if (const auto number = parse_number<double>(word)) return *number;
  in.fail(fmt::format("'{}' is no attribute", word));
}

/// Reads lines into a graph.
class Parser {
 public:
  void parse(std::string_view line, std::size_t number) {
    Cursor in(line, number);
    if (in.at_end() || in.peek() == '#') return;
    try {
      parse(in);
    } catch (const RunError& error) {  // an extent that leaves 64 bits, a tensor of the wrong size
      in.fail(error.what());
    }
  }

  Graph finish() {
    graph_.set_outputs(std::move(outputs_));
    return std::move(graph_);
  }

 private:
  void parse(Cursor& in) {
    if (in.peek() == '%') {
      parse_node(in);
    } else if (in.take("output")) {
      parse_output(in);
    } else if (in.take("equal")) {
      parse_equality(in);
    } else if (in.take("counters")) {
      parse_counters(in);
    } else {
      in.fail("a node, 'output', 'equal' or 'counters' expected");
    }
    if (!in.at_end()) in.fail("the line should end here");
  }

  void parse_counters(Cursor& in) {
    require_no_nodes(in);
    parse_list(in, "{", "}", [&] {
      const std::string_view name = in.identifier("a counter");
      if (name != "symbols" && name != "streams") in.fail(fmt::format("there is no counter '{}'", name));
      in.expect("=");
      const auto count = parse_number<std::int64_t>(trimmed(in.until(",}")));
      if (!count || *count < 0) in.fail("a count expected");
      (name == "symbols" ? counters_.symbols : counters_.streams) = *count;
    });
    graph_.adopt_symbols(equalities_, counters_);
  }

  void parse_equality(Cursor& in) {
    require_no_nodes(in);
    const std::string_view name = trimmed(in.until("="));
    if (!is_symbol_name(name)) in.fail(fmt::format("'{}' is no symbol", name));
    in.expect("=");
    const Graph::Equality learnt{symbol(name), parse_extent(in, "#")};
    equalities_.push_back(learnt);
    for (const auto& [known, meaning] : equalities_) {
      if (meaning.mentions(learnt.first) || learnt.second.mentions(known)) {
        in.fail("a meaning may not mention a symbol that has one itself");
      }
    }
    if (graph_.resolve(Dim(learnt.first)) != Dim(learnt.first)) in.fail(fmt::format("'{}' has two meanings", name));
    graph_.adopt_symbols(equalities_, counters_);
  }

  void require_no_nodes(Cursor& in) const {
    if (graph_.size() > 0) in.fail("'equal' and 'counters' come before the first node");
  }

  void parse_output(Cursor& in) {
    std::string name = in.name();
    in.expect("=");
    outputs_.push_back({std::move(name), parse_value(in)});
  }

  NodeId parse_node_reference(Cursor& in) {
    in.expect("%");
    const std::uint32_t number = in.number("a node's number");
    const auto found = ids_.find(number);
    if (found == ids_.end()) in.fail(fmt::format("%{} is not defined yet", number));
    return found->second;
  }

  ValueId parse_value(Cursor& in) {
    const NodeId node = parse_node_reference(in);
    const std::uint32_t output = in.take(":") ? in.number("an output's number") : 0;
    const std::size_t outputs = graph_.node(node).outputs.size();
    if (output >= outputs) in.fail(fmt::format("the node has {} outputs", outputs));
    return {node, output};
  }

  void parse_node(Cursor& in) {
    Cursor start = in;
    in.expect("%");
    const std::uint32_t number = in.number("a node's number");
    if (ids_.contains(number)) start.fail(fmt::format("%{} is defined twice", number));
    in.expect("=");
    Node node;
    const std::string_view op = in.identifier("an op");
    node.op = find_op(op);
    if (!node.op) start.fail(fmt::format("there is no op '{}'", op));

    std::vector<ValueId> inputs;
    parse_list(in, "(", ")", [&] { inputs.push_back(parse_value(in)); });
    if (in.peek() == '{') parse_attributes(in, node.attributes);
    std::vector<NodeId> control;
    if (in.take("after")) {
      do control.push_back(parse_node_reference(in));
      while (in.take(","));
    }
    Cursor at_types = in;
    const auto types = parse_types(in);
    node.name = node.op->name;
    if (in.take("#")) parse_annotation(in, node);

    try {
      const NodeId id = graph_.adopt(node, std::move(inputs), std::move(control));
      ids_.emplace(number, id);
    } catch (const GraphError& error) {
      start.fail(error.what());
    }
    check_types(at_types, graph_.node(ids_.at(number)), types);
  }

  void parse_attributes(Cursor& in, Attributes& attributes) {
    parse_list(in, "{", "}", [&] {
      const std::string_view name = in.identifier("an attribute's name");
      if (attributes.find(name)) in.fail(fmt::format("attribute '{}' is given twice", name));
      in.expect("=");
      attributes.set(name, parse_attribute(in));
    });
  }

  static std::vector<TensorType> parse_types(Cursor& in) {
    std::vector<TensorType> types;
    if (!in.take(":")) return types;
    do {
      const auto dtype = parse_dtype(in.identifier("a dtype"));
      if (!dtype) in.fail("there is no such dtype");
      types.push_back({*dtype, parse_shape(in)});
    } while (in.take(","));
    return types;
  }

  void check_types(Cursor& at, const Node& node, std::span<const TensorType> written) {
    if (written.empty()) return;
    if (written.size() != node.outputs.size()) {
      at.fail(fmt::format("{} types are written, the node has {} outputs", written.size(), node.outputs.size()));
    }
    for (std::size_t i = 0; i < written.size(); ++i) {
      if (written[i] == node.outputs[i]) continue;
      at.fail(fmt::format("{} is written, the type is {}", to_string(written[i]), to_string(node.outputs[i])));
    }
  }

  void parse_annotation(Cursor& in, Node& node) {
    node.name = in.name();
    if (graph_.find(node.name)) in.fail(fmt::format("two nodes are called '{}'", node.name));
    if (!in.at_end() && !in.take("gradient")) {
      const std::string file = in.name();
      in.expect(":");
      node.where = SourceLine(file, in.number("a line number"));
      if (!in.take("gradient")) return;
    } else if (in.at_end()) {
      return;
    }
    in.expect("of");
    node.forward = in.name();
  }

  Graph graph_;
  Graph::Counters counters_;
  std::vector<Graph::Equality> equalities_;
  std::vector<Graph::Output> outputs_;
  std::unordered_map<std::uint32_t, NodeId> ids_;  // by the number that the text gives
};

}  // namespace

Graph parse_text(std::string_view text) {
  Parser parser;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    parser.parse(text.substr(0, length), number);
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return parser.finish();
}

}  // namespace lathe
