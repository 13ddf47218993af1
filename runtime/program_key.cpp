#include <lathe/runtime/program_key.h>

#include <set>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <lathe/codegen/build_id.h>
#include <lathe/codegen/compiler.h>
#include <lathe/graph/text.h>

namespace lathe {
namespace {

struct Libraries {
  std::string lathe;
  std::string compiler;
};

const Libraries& libraries() {
  static const Libraries ids{loaded_build_id(reinterpret_cast<const void*>(&libraries)), build_id(compiler_library())};
  return ids;
}

/// As text constants would be large, and slow to print.
Digest add_graph(const Graph& graph, Digest key) {
  key = digest(to_text(graph, {.max_elements = 0, .lines = false}), key);
  for (const NodeId id : graph.node_ids()) {
    for (const auto& [name, value] : graph.node(id).attributes) {
      const auto* tensor = std::get_if<std::shared_ptr<const Tensor>>(&value);
      if (tensor) key = digest((*tensor)->bytes(), key);
    }
  }
  return key;
}

Digest add_machine(InstructionSet set, const Cpu& cpu, const Digest& key) {
  const std::span identity(cpu.identity);
  return digest(fmt::format("{} {}", to_string(set), page_bytes()), digest(std::as_bytes(identity), key));
}

}  // namespace

std::optional<Digest> program_key(const Graph& graph, const SessionOptions& options, InstructionSet set,
                                  const Cpu& cpu) {
  const Libraries& built = libraries();
  if (built.lathe.empty() || built.compiler.empty()) return std::nullopt;
  Digest key = digest(built.lathe);
  key = digest(built.compiler, key);
  key = digest(LATHE_LLVM_VERSION, key);
  key = add_machine(set, cpu, key);
  const std::set<std::string_view> disabled(options.disable.begin(), options.disable.end());
  key = digest(fmt::format("{} {} {}", options.fuse, options.assert_all_finite, fmt::join(disabled, " ")), key);
  return add_graph(graph, key);
}

bool compiler_is_as_keyed() {
  return loaded_build_id(&compiler()) == libraries().compiler;
}

}  // namespace lathe
