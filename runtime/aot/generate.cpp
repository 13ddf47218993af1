#include <algorithm>
#include <exception>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include <lathe/runtime/aot/aot.h>

namespace lathe::aot {
namespace {

constexpr std::string_view usage =
    "usage: {} [--name NAME] [--target TARGET[,TARGET...]] [--output FOLDER]\n"
    "Compiles a graph ahead of time: writes FOLDER/NAME.h, NAME.o and NAME.a.\n"
    "Targets: native, aarch64, or x86-64-v3 and x86-64-v4, together or alone.\n";

std::vector<Target> parse_targets(std::string_view list) {
  std::vector<Target> out;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    out.push_back(parse_aot_target(list.substr(begin, end - begin)));
    begin = end + 1;
  }
  return out;
}

/// A command line without what it was called by.
void run(std::span<const char* const> arguments, const Graph& graph, const std::vector<Function>& functions,
         Options options) {
  std::filesystem::path output = ".";
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string_view option = arguments[i];
    if (option != "--name" && option != "--target" && option != "--output") {
      throw CompileError(fmt::format("unknown argument '{}'", option));
    }
    if (i + 1 == arguments.size()) throw CompileError(fmt::format("{} lacks its value", option));
    const std::string_view value = arguments[i + 1];
    if (option == "--name") options.name = value;
    if (option == "--target") options.targets = parse_targets(value);
    if (option == "--output") output = value;
  }
  compile(graph, functions, options).write(output);
}

}  // namespace

int generate(int argc, const char* const* argv, const Graph& graph, const std::vector<Function>& functions,
             Options options) {
  const std::span<const char* const> arguments(argv, static_cast<std::size_t>(argc));
  const std::string_view self = arguments.empty() ? "generator" : arguments[0];
  if (arguments.size() > 1 && (std::string_view(arguments[1]) == "--help" || std::string_view(arguments[1]) == "-h")) {
    fmt::print(fmt::runtime(usage), self);
    return 0;
  }
  try {
    run(arguments.subspan(std::min<std::size_t>(1, arguments.size())), graph, functions, std::move(options));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", self, error.what());
    return 1;
  }
  return 0;
}

}  // namespace lathe::aot
