#include <lathe/codegen/library.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/compiler.h>
#include <lathe/graph/error.h>

namespace lathe {
namespace {

constexpr std::array<std::pair<AotTarget, std::string_view>, 4> names = {{{AotTarget::native, "native"},
                                                                          {AotTarget::x86_64_v3, "x86-64-v3"},
                                                                          {AotTarget::x86_64_v4, "x86-64-v4"},
                                                                          {AotTarget::aarch64, "aarch64"}}};

}  // namespace

std::string_view to_string(AotTarget target) {
  for (const auto& [known, name] : names) {
    if (known == target) return name;
  }
  return "unknown";
}

AotTarget parse_aot_target(std::string_view name) {
  for (const auto& [target, known] : names) {
    if (known == name) return target;
  }
  throw CompileError(fmt::format("unknown target '{}': it is one of native, x86-64-v3, x86-64-v4, aarch64", name));
}

std::string_view message_of(LibraryError code) {
  switch (code) {
    case LibraryError::none: return "success";
    case LibraryError::null_pointer: return "a pointer is null";
    case LibraryError::misaligned:
      return "a pointer is misaligned: state and arena need 64 bytes, tensors the size of an element";
    case LibraryError::bad_size: return "a size is negative or too large";
    case LibraryError::negative_extent: return "the sizes make an extent negative";
    case LibraryError::unsupported_cpu: return "this CPU lacks the instructions that the code needs";
    case LibraryError::first_check: break;
  }
  return "unknown error";
}

LibraryObject compile(const LibrarySpec& library, const std::vector<AotTarget>& targets) {
  return compiler().generate(library, targets);
}

bool LibrarySpec::has_state() const {
  return std::any_of(variables.begin(), variables.end(),
                     [](const LibraryVariable& variable) { return !variable.embedded; });
}

}  // namespace lathe
