#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// The words of the graph text form: what its printer and its parser share.
namespace lathe::text_syntax {

/// Letters, digits and '_', '.', '/', '-': what may stand in a name without quotes.
bool is_name_character(char c);

/// The text in quotes, on one line: '"', '\' and control characters become escapes.
std::string quote(std::string_view text);

/// Reads one line from left to right. Blanks between words do not matter.
class Cursor {
 public:
  /// `number`: of the line, from 1, for messages.
  Cursor(std::string_view line, std::size_t number) : line_(line), number_(number) {}

  bool at_end();
  /// The next character that is not a blank; 0 at the end.
  char peek();
  /// Whether `wanted` comes next; if so, steps over it.
  bool take(std::string_view wanted);
  /// Steps over `wanted`, or fails.
  void expect(std::string_view wanted);
  /// Characters up to the first of `ends` or the end of the line.
  std::string_view until(std::string_view ends);
  /// A run of letters, digits and '_', or a failure that names `what` was expected.
  std::string_view identifier(std::string_view what);
  /// Digits.
  std::uint32_t number(std::string_view what);
  /// A bare or quoted name.
  std::string name();
  /// What quote() wrote.
  std::string quoted();

  /// Throws GraphError with the line and column of the next word.
  [[noreturn]] void fail(std::string_view message);

 private:
  char escape();

  std::string_view line_;
  std::size_t number_;
  std::size_t at_ = 0;
};

}  // namespace lathe::text_syntax
