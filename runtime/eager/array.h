#pragma once

#include <iosfwd>
#include <span>
#include <string>

#include <lathe/graph/graph.h>
#include <lathe/runtime/eager/context.h>

namespace lathe::eager {

/// A Value that has elements: what it takes to look at them. Made implicitly from what any op returns. Its elements
/// never change; a variable, as an array, holds what it was last assigned.
class Array : public Value {
 public:
  Array() = default;
  /// Throws GraphError for a symbolic value, such as the argument of a function that is being traced.
  Array(Value value, std::source_location where = std::source_location::current());

  const Extents& extents() const;
  std::int64_t size() const { return element_count(extents()); }
  /// The elements in place, in row-major order. Valid as long as the array, and until a variable is assigned.
  TensorView view() const;
  /// A copy of the elements.
  Tensor tensor() const;
  /// The elements in place. Throws RunError if T is not what the array holds.
  template <Element T>
  std::span<const T> data() const {
    check_dtype(*dtype_of<T>);
    return {reinterpret_cast<const T*>(view().data), static_cast<std::size_t>(size())};
  }
  /// The only element of an array that has one.
  template <Element T>
  T item() const {
    check_single();
    return data<T>()[0];
  }

  /// x[i] along the first axis, counted from the end if negative: of rank one less, in the memory of x. A position that
  /// does not exist is a GraphError. Ranges of several axes are slice()'s.
  Array operator[](std::int64_t index) const;

 private:
  void check_dtype(DType asked) const;
  void check_single() const;
};

/// As NumPy prints arrays: nested brackets, columns aligned, at most eight digits, and the middle of long axes left
/// out.
std::string to_string(const Array& array);
std::ostream& operator<<(std::ostream& out, const Array& array);

template <Element T>
Array Context::array(Extents shape, std::span<const T> elements) {
  return array(Tensor::from<T>(std::move(shape), elements));
}

template <Element T>
Array Context::array(Extents shape, std::initializer_list<T> elements) {
  return array(Tensor::from<T>(std::move(shape), elements));
}

template <Element T>
Array Context::scalar(T value) {
  return array(Tensor::scalar<T>(value));
}

}  // namespace lathe::eager
