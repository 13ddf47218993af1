#include <lathe/graph/text_syntax.h>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe::text_syntax {
namespace {

bool is_identifier_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_control_character(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

bool is_name_character(char c) {
  return is_identifier_character(c) || c == '.' || c == '/' || c == '-';
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_control_character(c)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

void Cursor::fail(std::string_view message) {
  peek();
  throw GraphError(fmt::format("graph text, line {}, column {}: {}", number_, at_ + 1, message));
}

char Cursor::peek() {
  at_ = std::min(line_.find_first_not_of(" \t\r", at_), line_.size());
  return at_ == line_.size() ? '\0' : line_[at_];
}

bool Cursor::at_end() {
  peek();
  return at_ == line_.size();
}

bool Cursor::take(std::string_view wanted) {
  peek();
  if (!line_.substr(at_).starts_with(wanted)) return false;
  const std::size_t after = at_ + wanted.size();
  const bool runs_on = after < line_.size() && is_identifier_character(line_[after]);
  if (is_identifier_character(wanted.back()) && runs_on) return false;
  at_ = after;
  return true;
}

void Cursor::expect(std::string_view wanted) {
  if (!take(wanted)) fail(fmt::format("'{}' expected", wanted));
}

std::string_view Cursor::until(std::string_view ends) {
  peek();
  const std::size_t start = at_;
  at_ = std::min(line_.find_first_of(ends, at_), line_.size());
  return line_.substr(start, at_ - start);
}

std::string_view Cursor::identifier(std::string_view what) {
  peek();
  const std::size_t start = at_;
  while (at_ < line_.size() && is_identifier_character(line_[at_])) ++at_;
  if (at_ == start) fail(fmt::format("{} expected", what));
  return line_.substr(start, at_ - start);
}

std::uint32_t Cursor::number(std::string_view what) {
  peek();
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(line_.data() + at_, line_.data() + line_.size(), value);
  if (error != std::errc{}) fail(fmt::format("{} expected", what));
  at_ = static_cast<std::size_t>(end - line_.data());
  return value;
}

std::string Cursor::name() {
  if (peek() == '"') return quoted();
  const std::size_t start = at_;
  while (at_ < line_.size() && is_name_character(line_[at_])) ++at_;
  if (at_ == start) fail("a name expected");
  return std::string(line_.substr(start, at_ - start));
}

std::string Cursor::quoted() {
  expect("\"");
  std::string out;
  while (true) {
    if (at_ == line_.size()) fail("the closing '\"' is missing");
    const char c = line_[at_++];
    if (c == '"') return out;
    out += c == '\\' ? escape() : c;
  }
}

char Cursor::escape() {
  if (at_ == line_.size()) fail("the closing '\"' is missing");
  switch (line_[at_++]) {
    case 'n': return '\n';
    case 't': return '\t';
    case '"': return '"';
    case '\\': return '\\';
    case 'x': break;
    default: fail("an unknown escape");
  }
  std::uint8_t code = 0;
  const char* digits = line_.data() + at_;
  if (line_.size() - at_ < 2) fail("two hexadecimal digits expected");
  const auto [end, error] = std::from_chars(digits, digits + 2, code, 16);
  if (error != std::errc{} || end != digits + 2) fail("two hexadecimal digits expected");
  at_ += 2;
  return static_cast<char>(code);
}

}  // namespace lathe::text_syntax
