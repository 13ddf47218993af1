#include <lathe/runtime/aot/aot.h>

#include <string_view>
#include <utility>

#include <lathe/runtime/aot/header.h>
#include <lathe/runtime/aot/spec.h>
#include <lathe/runtime/session.h>
#include <lathe/runtime/write_file.h>

namespace lathe::aot {

Function initialize(std::string name) {
  return {.name = std::move(name), .doc = "Gives all variables their initial values.", .initializes = true};
}

std::map<std::string, Tensor> weights_of(const Session& session) {
  std::map<std::string, Tensor> out;
  for (const std::string& name : session.variable_names()) out.emplace(name, session.variable(name));
  return out;
}

Library compile(const Graph& graph, const std::vector<Function>& functions, const Options& options) {
  const LibrarySpec spec = describe(graph, functions, options);
  LibraryObject object = lathe::compile(spec, options.targets);
  return {options.name, std::move(object.object), std::move(object.archive), header_of(spec)};
}

void Library::write(const std::filesystem::path& folder) const {
  const auto text = [](const std::vector<std::byte>& bytes) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  write_file(folder / (name + ".o"), text(object));
  write_file(folder / (name + ".a"), text(archive));
  write_file(folder / (name + ".h"), header);
}

}  // namespace lathe::aot
