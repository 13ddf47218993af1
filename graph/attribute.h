#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <lathe/graph/tensor.h>

namespace lathe {

/// A compile-time argument of a node. Tensors are shared and never change.
using Attribute =
    std::variant<bool, std::int64_t, double, std::string, DType, Extents, Shape, std::shared_ptr<const Tensor>>;

/// Same kind and value; tensors compare by content, doubles by bits.
bool same_attribute(const Attribute& a, const Attribute& b);

/// What kind of attribute this is, for messages: "bool", "integer", "number", ...
std::string_view kind_of(const Attribute& attribute);

/// Equal for attributes that same_attribute() calls the same.
std::size_t hash_of(const Attribute& attribute);

/// A node's attributes, sorted by name.
class Attributes {
 public:
  using Entry = std::pair<std::string, Attribute>;

  Attributes() = default;
  Attributes(std::initializer_list<Entry> entries);

  void set(std::string_view name, Attribute value);
  const Attribute* find(std::string_view name) const;
  /// The attribute `name`, which must exist and hold a T.
  template <class T>
  const T& get(std::string_view name) const {
    const Attribute* found = find(name);
    const T* value = found ? std::get_if<T>(found) : nullptr;
    if (!value) missing(name);
    return *value;
  }

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  std::size_t size() const { return entries_.size(); }

  bool operator==(const Attributes& other) const;

 private:
  [[noreturn]] static void missing(std::string_view name);
  std::vector<Entry> entries_;
};

}  // namespace lathe
