#include <lathe/runtime/value_ref.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <system_error>

#include <fmt/format.h>

namespace lathe {
namespace {

/// How many letters must be changed, put in or left out to make one word the other (Levenshtein).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

struct NameParts {
  std::string_view node;
  std::uint32_t output;
};

/// "split:1" as a node and an output.
std::optional<NameParts> split_name(std::string_view name) {
  const auto colon = name.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::uint32_t output = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + colon + 1, end, output);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return NameParts{name.substr(0, colon), output};
}

ValueId resolve_name(const Graph& graph, std::string_view name, std::string_view role) {
  if (const auto node = graph.find(name)) {
    if (!graph.node(*node).outputs.empty()) return {*node, 0};
    throw RunError(fmt::format("{} '{}': {} has no outputs", role, name, describe(graph.node(*node))));
  }
  const auto parts = split_name(name);
  const auto node = parts ? graph.find(parts->node) : std::nullopt;
  if (node) {
    const std::size_t outputs = graph.node(*node).outputs.size();
    if (parts->output < outputs) return {*node, parts->output};
    throw RunError(fmt::format("{} '{}': {} has {} output{}, counted from 0", role, name, describe(graph.node(*node)),
                               outputs, outputs == 1 ? "" : "s"));
  }
  std::vector<std::string> names;
  for (const NodeId id : graph.node_ids()) names.push_back(graph.node(id).name);
  const std::string near = nearest_name(name, names);
  throw RunError(fmt::format("{} '{}': the graph has nothing of that name{}", role, name,
                             near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
}

}  // namespace

ValueId resolve(const Graph& graph, const ValueRef& reference, std::string_view role) {
  if (const auto* name = std::get_if<std::string>(&reference.get())) return resolve_name(graph, *name, role);
  const Value& value = std::get<Value>(reference.get());
  if (value.empty()) throw RunError(fmt::format("a {} is an empty Value", role));
  if (&value.graph() != &graph) {
    throw RunError(fmt::format("{} '{}' belongs to another graph than the session's", role, value.name()));
  }
  return value.id();
}

std::string nearest_name(std::string_view wanted, const std::vector<std::string>& names) {
  std::size_t best = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  std::string found;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(wanted, name);
    if (distance >= best) continue;
    best = distance;
    found = name;
  }
  return found;
}

}  // namespace lathe
