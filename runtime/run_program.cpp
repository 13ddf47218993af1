#include <lathe/runtime/run_program.h>

#include <string>
#include <string_view>

#include <fmt/format.h>

#include <lathe/codegen/loop/interpret.h>

namespace lathe {
namespace {

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

const loop::CheckInfo& check_of(std::span<const loop::CheckInfo> checks, const abi::Failure& failure) {
  ensure(failure.check >= 0 && static_cast<std::size_t>(failure.check) < checks.size(), "an unknown check failed");
  return checks[static_cast<std::size_t>(failure.check)];
}

[[noreturn]] void check_failed(std::span<const loop::CheckInfo> checks, const abi::Failure& failure) {
  throw RunError(check_message(check_of(checks, failure), failure));
}

}  // namespace

std::string check_message(const loop::CheckInfo& info, std::string_view index, std::string_view detail) {
  return fmt::format("{}: {}", info.node, replace_all(replace_all(info.message, "{index}", index), "{detail}", detail));
}

std::string check_message(const loop::CheckInfo& info, const abi::Failure& failure) {
  return check_message(info, fmt::format("{}", failure.index), fmt::format("{}", failure.detail));
}

void run_program(const Executable& executable, abi::Arguments arguments) {
  if (const auto failure = try_program(executable, arguments)) check_failed(executable.interface().checks, *failure);
}

std::optional<abi::Failure> try_program(const Executable& executable, abi::Arguments arguments) {
  abi::Failure failure{abi::no_check, 0, 0, 0};
  arguments.failure = &failure;
  const abi::EntryPoint entry = executable.entry();
  const std::int32_t failed = entry ? entry(&arguments) : loop::interpret(executable.program(), arguments);
  return failed == 0 ? std::nullopt : std::optional(failure);
}

const loop::CheckInfo& check_of(const Executable& executable, const abi::Failure& failure) {
  return check_of(executable.interface().checks, failure);
}

}  // namespace lathe
