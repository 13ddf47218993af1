#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe {

/// A name for an extent that is known only when a program runs. Interned: equal names are equal ids everywhere.
enum class SymbolId : std::uint32_t {};

/// Names are identifiers: letters, digits, '_' and '.', no digit first. Names that start with '_' are for symbols that
/// graphs make. Throws GraphError for any other.
SymbolId symbol(std::string_view name);
/// Whether `name` can be a symbol's.
bool is_symbol_name(std::string_view name);
std::string_view name_of(SymbolId id);

/// What the symbols of one run stand for.
class Bindings {
 public:
  /// Binds `id`, or returns the other number that it is already bound to.
  std::optional<std::int64_t> bind(SymbolId id, std::int64_t number);
  std::optional<std::int64_t> find(SymbolId id) const;
  void clear() { numbers_.clear(); }

 private:
  std::vector<std::pair<SymbolId, std::int64_t>> numbers_;
};

/// The extent of an axis: a polynomial with integer coefficients over symbols. `batch`, `n + m`, `28 * w` and `10`
/// are all Dims. The form is canonical, so equal polynomials compare equal. Numbers that leave 64 bits throw RunError.
class Dim {
 public:
  struct Term {
    std::vector<SymbolId> factors;  // sorted; empty for the constant term
    std::int64_t coefficient;
    bool operator==(const Term&) const = default;
    /// Graded order (degree first): what makes polynomial division by leading terms right.
    std::strong_ordering operator<=>(const Term& other) const;
  };

  Dim() = default;  // zero
  Dim(std::int64_t number);
  Dim(int number) : Dim(std::int64_t{number}) {}
  Dim(SymbolId symbol);

  /// Stands for "not known yet" in a placeholder's shape, where it becomes a fresh symbol.
  static Dim unknown();
  bool is_unknown() const { return unknown_; }

  bool is_constant() const;
  /// The number of a constant Dim.
  std::int64_t constant() const;
  std::optional<std::int64_t> as_constant() const;
  /// The symbol of a Dim that is one symbol and nothing else.
  std::optional<SymbolId> as_symbol() const;
  std::span<const Term> terms() const { return terms_; }
  bool mentions(SymbolId symbol) const;
  /// Adds each symbol that occurs and is not in `symbols` yet.
  void collect(std::vector<SymbolId>& symbols) const;

  Dim substitute(SymbolId symbol, const Dim& with) const;
  /// The number this stands for; throws RunError if a symbol is not bound or the number leaves 64 bits.
  std::int64_t evaluate(const Bindings& bindings) const;

  bool operator==(const Dim&) const = default;
  auto operator<=>(const Dim&) const = default;

 private:
  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  std::vector<Term> terms_;  // sorted by factors; no zero coefficients
  bool unknown_ = false;
};

/// Arithmetic throws GraphError for an open extent: it has no symbol yet.
Dim operator+(const Dim& a, const Dim& b);
Dim operator-(const Dim& a, const Dim& b);
Dim operator*(const Dim& a, const Dim& b);
/// a / b when b divides a exactly as a polynomial, else nothing.
std::optional<Dim> divide(const Dim& a, const Dim& b);

/// "2*n*m - k + 1": terms and factors sorted by name, the number last.
std::string to_string(const Dim& dim);
/// Reads what to_string writes, and every other sum of products of names and numbers, parentheses aside. Nothing if
/// `text` is something else.
std::optional<Dim> parse_dim(std::string_view text);

/// A symbolic extent: dim("batch").
inline Dim dim(std::string_view name) {
  return Dim(symbol(name));
}

/// An extent left open in a placeholder's shape; each use becomes a fresh symbol.
inline const Dim None = Dim::unknown();

}  // namespace lathe
