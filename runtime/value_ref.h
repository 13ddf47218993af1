#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <lathe/graph/graph.h>

namespace lathe {

/// A value of a graph, or the name of one: "loss", or "split:1" for an output after the first.
class ValueRef {
 public:
  template <std::convertible_to<Value> T>
  ValueRef(const T& value) : reference_(static_cast<Value>(value)) {}
  ValueRef(std::string name) : reference_(std::move(name)) {}
  ValueRef(std::string_view name) : reference_(std::string(name)) {}
  ValueRef(const char* name) : reference_(std::string(name)) {}

  const std::variant<Value, std::string>& get() const { return reference_; }

 private:
  std::variant<Value, std::string> reference_;
};

/// Several of them: {loss, "accuracy"}.
class ValueRefs {
 public:
  ValueRefs() = default;
  ValueRefs(std::initializer_list<ValueRef> references) : references_(references) {}
  ValueRefs(std::vector<ValueRef> references) : references_(std::move(references)) {}
  ValueRefs(const Values& values) : references_(values.begin(), values.end()) {}

  auto begin() const { return references_.begin(); }
  auto end() const { return references_.end(); }
  std::size_t size() const { return references_.size(); }

 private:
  std::vector<ValueRef> references_;
};

/// What a run is given for a value. The tensor is borrowed until the run ends.
struct Feed {
  ValueRef value;
  TensorView tensor;
};

/// The value that is meant. `role` is "fetch" or "feed". Throws RunError if it is not in the graph, with the nearest
/// name.
ValueId resolve(const Graph& graph, const ValueRef& reference, std::string_view role);

/// The name among `names` that `wanted` is most likely a slip of; empty if none is near.
std::string nearest_name(std::string_view wanted, const std::vector<std::string>& names);

}  // namespace lathe
