#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace lathe::test {

/// How a command ended, and what it wrote to both streams.
struct Finished {
  bool succeeded;
  std::string output;
};

/// Runs `command` in a shell and waits for it.
Finished run_shell(const std::string& command);

/// The same for a command that must succeed; gives its output. Throws with the command and its output if it fails.
std::string shell(const std::string& command);

/// Quotes a path for a shell.
std::string quoted(const std::filesystem::path& path);

/// Whether a program of this name is on the PATH.
bool is_installed(std::string_view program);

}  // namespace lathe::test
