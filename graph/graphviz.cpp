#include <lathe/graph/graphviz.h>

#include <array>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <boost/graph/graphviz.hpp>

#include <lathe/graph/bgl.h>

namespace lathe {
namespace {

/// Pale enough for black text; ColorBrewer's Pastel1.
constexpr std::array<std::string_view, 9> colors{"#fbb4ae", "#b3cde3", "#ccebc5", "#decbe4", "#fed9a6",
                                                 "#ffffcc", "#e5d8bd", "#fddaec", "#f2f2f2"};

std::string dot_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// A colour for each outermost scope, in the order of first use. Nodes outside all scopes are white.
class ScopeColors {
 public:
  std::string_view operator()(const std::string& name) {
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos) return "white";
    const auto [at, added] = scopes_.emplace(name.substr(0, slash), scopes_.size());
    return colors[at->second % colors.size()];
  }

 private:
  std::map<std::string, std::size_t> scopes_;
};

std::string label(const Node& node) {
  std::string text = fmt::format("{}\n{}", node.op->name, node.name);
  for (const TensorType& type : node.outputs) text += "\n" + to_string(type);
  return text;
}

}  // namespace

std::string to_graphviz(const Graph& graph) {
  std::vector<bool> delivers(graph.size());
  for (const Graph::Output& output : graph.outputs()) delivers[static_cast<std::size_t>(output.value.node)] = true;
  ScopeColors color;

  const auto write_graph = [](std::ostream& out) {
    out << "rankdir=BT;\nnode [shape=box, fontname=\"sans-serif\"];\n";
  };
  const auto write_node = [&](std::ostream& out, NodeId id) {
    const Node& node = graph.node(id);
    out << fmt::format(" [label={}, style=\"filled{}\", fillcolor={}{}]", dot_string(label(node)),
                       node.forward ? ",dashed" : "", dot_string(color(node.name)),
                       delivers[static_cast<std::size_t>(id)] ? ", peripheries=2" : "");
  };
  // An edge leads from a node to what it depends on: with rankdir=BT and dir=back, data flow downwards all the same.
  const auto write_edge = [&](std::ostream& out, Edge edge) {
    const Node& user = graph.node(edge.user);
    const bool control = edge.slot >= user.inputs.size();
    out << (control ? " [dir=back, style=dotted]" : " [dir=back]");
  };
  std::ostringstream out;
  boost::write_graphviz(out, graph, write_node, write_edge, write_graph, bgl::IndexMap{});
  return out.str();
}

}  // namespace lathe
