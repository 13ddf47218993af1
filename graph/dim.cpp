#include <lathe/graph/dim.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <mutex>
#include <unordered_map>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe {
namespace {

/// Names of all symbols ever made. Only grows; a deque keeps the names' addresses.
struct SymbolTable {
  std::mutex mutex;
  std::deque<std::string> names;
  std::unordered_map<std::string_view, SymbolId> ids;
};

SymbolTable& table() {
  static SymbolTable instance;
  return instance;
}

std::int64_t checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw RunError(fmt::format("extent overflows 64 bits: {} + {}", a, b));
  return sum;
}

std::int64_t checked_multiply(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw RunError(fmt::format("extent overflows 64 bits: {} * {}", a, b));
  return product;
}

void require_known(const Dim& a, const Dim& b) {
  if (a.is_unknown() || b.is_unknown()) throw GraphError("an open extent (None) cannot be computed with");
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Sorts, adds up equal monomials and drops zeros.
std::vector<Dim::Term> canonical(std::vector<Dim::Term> terms) {
  std::sort(terms.begin(), terms.end());
  std::vector<Dim::Term> out;
  for (Dim::Term& term : terms) {
    if (!out.empty() && out.back().factors == term.factors) {
      out.back().coefficient = checked_add(out.back().coefficient, term.coefficient);
    } else {
      out.push_back(std::move(term));
    }
  }
  std::erase_if(out, [](const Dim::Term& term) { return term.coefficient == 0; });
  return out;
}

/// a / b for single terms, or nothing.
std::optional<Dim> divide(const Dim::Term& a, const Dim::Term& b) {
  if (a.coefficient % b.coefficient != 0) return std::nullopt;
  if (!std::includes(a.factors.begin(), a.factors.end(), b.factors.begin(), b.factors.end())) return std::nullopt;
  std::vector<SymbolId> rest;
  std::set_difference(a.factors.begin(), a.factors.end(), b.factors.begin(), b.factors.end(), std::back_inserter(rest));
  Dim quotient(a.coefficient / b.coefficient);
  for (const SymbolId factor : rest) quotient = quotient * Dim(factor);
  return quotient;
}

}  // namespace

bool is_symbol_name(std::string_view name) {
  const auto fits = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.'; };
  return !name.empty() && !is_digit(name[0]) && name[0] != '.' && std::all_of(name.begin(), name.end(), fits);
}

SymbolId symbol(std::string_view name) {
  if (!is_symbol_name(name)) throw GraphError(fmt::format("'{}' cannot name an extent: it is no identifier", name));
  SymbolTable& symbols = table();
  const std::lock_guard lock(symbols.mutex);
  if (const auto found = symbols.ids.find(name); found != symbols.ids.end()) return found->second;
  const auto id = static_cast<SymbolId>(symbols.names.size());
  symbols.ids.emplace(symbols.names.emplace_back(name), id);
  return id;
}

std::string_view name_of(SymbolId id) {
  SymbolTable& symbols = table();
  const std::lock_guard lock(symbols.mutex);
  return symbols.names.at(static_cast<std::size_t>(id));
}

std::optional<std::int64_t> Bindings::bind(SymbolId id, std::int64_t number) {
  if (const auto bound = find(id)) return *bound == number ? std::nullopt : bound;
  numbers_.emplace_back(id, number);
  return std::nullopt;
}

std::optional<std::int64_t> Bindings::find(SymbolId id) const {
  for (const auto& [bound, number] : numbers_) {
    if (bound == id) return number;
  }
  return std::nullopt;
}

std::strong_ordering Dim::Term::operator<=>(const Term& other) const {
  if (const auto order = factors.size() <=> other.factors.size(); order != 0) return order;
  if (const auto order = factors <=> other.factors; order != 0) return order;
  return coefficient <=> other.coefficient;
}

Dim::Dim(std::int64_t number) {
  if (number != 0) terms_.push_back({{}, number});
}

Dim::Dim(SymbolId symbol) : terms_{{{symbol}, 1}} {}

Dim Dim::unknown() {
  Dim dim;
  dim.unknown_ = true;
  return dim;
}

bool Dim::is_constant() const {
  return as_constant().has_value();
}

std::int64_t Dim::constant() const {
  const auto number = as_constant();
  ensure(number.has_value(), "constant() of a symbolic extent");
  return *number;
}

std::optional<std::int64_t> Dim::as_constant() const {
  if (unknown_) return std::nullopt;
  if (terms_.empty()) return 0;
  if (terms_.size() == 1 && terms_[0].factors.empty()) return terms_[0].coefficient;
  return std::nullopt;
}

std::optional<SymbolId> Dim::as_symbol() const {
  if (terms_.size() != 1 || terms_[0].coefficient != 1 || terms_[0].factors.size() != 1) return std::nullopt;
  return terms_[0].factors[0];
}

bool Dim::mentions(SymbolId symbol) const {
  return std::any_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    return std::find(term.factors.begin(), term.factors.end(), symbol) != term.factors.end();
  });
}

void Dim::collect(std::vector<SymbolId>& symbols) const {
  for (const Term& term : terms_) {
    for (const SymbolId factor : term.factors) {
      if (std::find(symbols.begin(), symbols.end(), factor) == symbols.end()) symbols.push_back(factor);
    }
  }
}

Dim Dim::substitute(SymbolId symbol, const Dim& with) const {
  if (!mentions(symbol)) return *this;
  Dim out;
  for (const Term& term : terms_) {
    Dim product(term.coefficient);
    for (const SymbolId factor : term.factors) product = product * (factor == symbol ? with : Dim(factor));
    out = out + product;
  }
  return out;
}

std::int64_t Dim::evaluate(const Bindings& bindings) const {
  if (unknown_) throw RunError("an open extent (None) has no number");
  std::int64_t sum = 0;
  for (const Term& term : terms_) {
    std::int64_t product = term.coefficient;
    for (const SymbolId factor : term.factors) {
      const auto number = bindings.find(factor);
      if (!number) throw RunError(fmt::format("nothing that was fed says what '{}' is", name_of(factor)));
      product = checked_multiply(product, *number);
    }
    sum = checked_add(sum, product);
  }
  return sum;
}

Dim operator+(const Dim& a, const Dim& b) {
  require_known(a, b);
  Dim out;
  std::vector<Dim::Term> terms = a.terms_;
  terms.insert(terms.end(), b.terms_.begin(), b.terms_.end());
  out.terms_ = canonical(std::move(terms));
  return out;
}

Dim operator-(const Dim& a, const Dim& b) {
  return a + b * Dim(-1);
}

Dim operator*(const Dim& a, const Dim& b) {
  require_known(a, b);
  std::vector<Dim::Term> terms;
  for (const Dim::Term& x : a.terms_) {
    for (const Dim::Term& y : b.terms_) {
      Dim::Term product{x.factors, checked_multiply(x.coefficient, y.coefficient)};
      product.factors.insert(product.factors.end(), y.factors.begin(), y.factors.end());
      std::sort(product.factors.begin(), product.factors.end());
      terms.push_back(std::move(product));
    }
  }
  Dim out;
  out.terms_ = canonical(std::move(terms));
  return out;
}

// Long division by leading terms, the last in the canonical order: exact or nothing.
std::optional<Dim> divide(const Dim& a, const Dim& b) {
  require_known(a, b);
  if (b.terms().empty()) return std::nullopt;
  Dim rest = a;
  Dim quotient;
  while (!rest.terms().empty()) {
    const auto step = divide(rest.terms().back(), b.terms().back());
    if (!step) return std::nullopt;
    quotient = quotient + *step;
    rest = rest - *step * b;
  }
  return quotient;
}

std::string to_string(const Dim& dim) {
  if (dim.is_unknown()) return "?";
  // Ids depend on the order of interning; names do not.
  struct Part {
    std::string product;
    std::int64_t coefficient;
  };
  std::vector<Part> parts;
  parts.reserve(dim.terms().size());
  for (const Dim::Term& term : dim.terms()) {
    std::vector<std::string_view> names;
    for (const SymbolId factor : term.factors) names.push_back(name_of(factor));
    std::sort(names.begin(), names.end());
    parts.push_back({fmt::format("{}", fmt::join(names, "*")), term.coefficient});
  }
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::pair(a.product.empty(), std::string_view(a.product)) <
           std::pair(b.product.empty(), std::string_view(b.product));
  });
  std::string text;
  for (const auto& [product, coefficient] : parts) {
    // Through unsigned, because the lowest number has no positive counterpart.
    const auto bits = static_cast<std::uint64_t>(coefficient);
    const std::uint64_t magnitude = coefficient < 0 ? 0 - bits : bits;
    if (text.empty()) {
      text += coefficient < 0 ? "-" : "";
    } else {
      text += coefficient < 0 ? " - " : " + ";
    }
    if (product.empty()) {
      text += fmt::format("{}", magnitude);
    } else {
      text += magnitude == 1 ? product : fmt::format("{}*{}", magnitude, product);
    }
  }
  return text.empty() ? "0" : text;
}

std::optional<Dim> parse_dim(std::string_view text) {
  const auto skip_blanks = [&] { text.remove_prefix(std::min(text.find_first_not_of(' '), text.size())); };
  const auto take = [&](char wanted) {
    skip_blanks();
    if (text.empty() || text[0] != wanted) return false;
    text.remove_prefix(1);
    return true;
  };
  const auto parse_factor = [&](const Dim& sign) -> std::optional<Dim> {
    skip_blanks();
    std::size_t length = 0;
    while (length < text.size() &&
           (is_letter(text[length]) || is_digit(text[length]) || text[length] == '_' || text[length] == '.')) {
      ++length;
    }
    const std::string_view word = text.substr(0, length);
    text.remove_prefix(length);
    if (is_symbol_name(word)) return sign * dim(word);
    std::int64_t number = 0;
    // With its sign, because the lowest number has no positive counterpart.
    const std::string digits = fmt::format("{}{}", sign == Dim(-1) ? "-" : "", word);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (word.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return Dim(number);
  };
  Dim sum;
  Dim sign(take('-') ? -1 : 1);
  while (true) {
    auto product = parse_factor(sign);
    while (product && take('*')) {
      const auto factor = parse_factor(1);
      product = factor ? std::optional(*product * *factor) : std::nullopt;
    }
    if (!product) return std::nullopt;
    sum = sum + *product;
    if (take('+')) {
      sign = 1;
    } else if (take('-')) {
      sign = -1;
    } else {
      break;
    }
  }
  return text.empty() ? std::optional(sum) : std::nullopt;
}

}  // namespace lathe
