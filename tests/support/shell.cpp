#include "shell.h"

#include <array>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace lathe::test {

Finished run_shell(const std::string& command) {
  FILE* stream = popen(("{ " + command + "\n} 2>&1").c_str(), "r");
  if (stream == nullptr) throw std::runtime_error("cannot start a shell for " + command);
  Finished finished{};
  std::array<char, 4096> piece{};
  while (const std::size_t read = std::fread(piece.data(), 1, piece.size(), stream)) {
    finished.output.append(piece.data(), read);
  }
  finished.succeeded = pclose(stream) == 0;
  return finished;
}

std::string shell(const std::string& command) {
  Finished finished = run_shell(command);
  if (!finished.succeeded) throw std::runtime_error("failed: " + command + "\n" + finished.output);
  return std::move(finished.output);
}

std::string quoted(const std::filesystem::path& path) {
  std::string text = "'";
  for (const char character : path.string()) {
    if (character == '\'') {
      text += R"('\'')";
    } else {
      text += character;
    }
  }
  return text + "'";
}

bool is_installed(std::string_view program) {
  return run_shell("command -v " + std::string(program)).succeeded;
}

}  // namespace lathe::test
