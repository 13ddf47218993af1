#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lathe/codegen/executable.h>

namespace lathe {

/// Runs a program once: by its entry point, or by the interpreter if it has none. Sets `arguments.failure` itself.
/// Throws RunError with the message of the check that failed; then no variable has changed.
void run_program(const Executable& executable, abi::Arguments arguments);

/// run_program() that returns the failure of a check.
std::optional<abi::Failure> try_program(const Executable& executable, abi::Arguments arguments);

/// The check of a failure that a run of the executable returned.
const loop::CheckInfo& check_of(const Executable& executable, const abi::Failure& failure);

/// What a failed check says: "gather 'picked' (model.cpp:41): index 12 at 3 ..."; `index` and `detail` fill its places.
std::string check_message(const loop::CheckInfo& info, std::string_view index, std::string_view detail);
std::string check_message(const loop::CheckInfo& info, const abi::Failure& failure);

}  // namespace lathe
