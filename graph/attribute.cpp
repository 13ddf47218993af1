#include <lathe/graph/attribute.h>

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include <fmt/format.h>

namespace lathe {

bool same_attribute(const Attribute& a, const Attribute& b) {
  if (a.index() != b.index()) return false;
  if (const auto* x = std::get_if<std::shared_ptr<const Tensor>>(&a)) {
    const auto& y = std::get<std::shared_ptr<const Tensor>>(b);
    return *x == y || **x == *y;
  }
  if (const auto* x = std::get_if<double>(&a)) {
    return std::bit_cast<std::uint64_t>(*x) == std::bit_cast<std::uint64_t>(std::get<double>(b));
  }
  return a == b;
}

std::string_view kind_of(const Attribute& attribute) {
  static constexpr std::array<std::string_view, 8> kinds{"bool",  "integer", "number", "string",
                                                         "dtype", "extents", "shape",  "tensor"};
  static_assert(kinds.size() == std::variant_size_v<Attribute>);
  return kinds[attribute.index()];
}

std::size_t hash_of(const Attribute& attribute) {
  const auto text = [](std::string_view bytes) { return std::hash<std::string_view>{}(bytes); };
  const auto raw = [&](const auto* data, std::size_t count) {
    return text({reinterpret_cast<const char*>(data), count * sizeof(*data)});
  };
  const std::size_t value = std::visit(
      [&]<class T>(const T& held) -> std::size_t {
        if constexpr (std::is_same_v<T, std::string>) {
          return text(held);
        } else if constexpr (std::is_same_v<T, Extents>) {
          return raw(held.data(), held.size());
        } else if constexpr (std::is_same_v<T, Shape>) {
          return text(to_string(held));
        } else if constexpr (std::is_same_v<T, std::shared_ptr<const Tensor>>) {
          return raw(held->bytes().data(), held->bytes().size()) ^ text(to_string(held->type()));
        } else if constexpr (std::is_same_v<T, double>) {
          return std::hash<std::uint64_t>{}(std::bit_cast<std::uint64_t>(held));
        } else {
          return std::hash<T>{}(held);
        }
      },
      attribute);
  return value * 31 + attribute.index();
}

Attributes::Attributes(std::initializer_list<Entry> entries) {
  for (const auto& [name, value] : entries) set(name, value);
}

void Attributes::set(std::string_view name, Attribute value) {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), name,
                                   [](const Entry& entry, std::string_view wanted) { return entry.first < wanted; });
  if (at != entries_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    entries_.emplace(at, name, std::move(value));
  }
}

const Attribute* Attributes::find(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

bool Attributes::operator==(const Attributes& other) const {
  return std::equal(
      entries_.begin(), entries_.end(), other.entries_.begin(), other.entries_.end(),
      [](const Entry& a, const Entry& b) { return a.first == b.first && same_attribute(a.second, b.second); });
}

void Attributes::missing(std::string_view name) {
  throw GraphError(fmt::format("attribute '{}' is missing or of the wrong kind", name));
}

}  // namespace lathe
