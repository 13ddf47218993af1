#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <lathe/graph/error.h>
#include <lathe/graph/shape.h>

namespace lathe {

/// Borrowed, read-only tensor data. Valid as long as what it was made from.
struct TensorView {
  DType dtype;
  std::span<const std::int64_t> shape;
  const std::byte* data;
};

/// Owned host data, row-major, aligned to 64 bytes. Copies are deep.
class Tensor {
 public:
  /// A scalar f32 zero.
  Tensor() : Tensor(DType::f32, {}) {}
  /// Zeros. Throws RunError for a negative extent.
  Tensor(DType dtype, Extents shape);
  Tensor(const Tensor& other);
  Tensor& operator=(const Tensor& other);
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;

  /// Tensor::from<float>({2, 2}, values); throws RunError if the count is wrong.
  template <Element T>
  static Tensor from(Extents shape, std::span<const T> values) {
    Tensor out(*dtype_of<T>, std::move(shape));
    check_count(out, values.size());
    std::copy(values.begin(), values.end(), out.data<T>().begin());
    return out;
  }
  template <Element T>
  static Tensor from(Extents shape, std::initializer_list<T> values) {
    return from(std::move(shape), std::span<const T>(values.begin(), values.size()));
  }
  template <Element T>
  static Tensor scalar(T value) {
    return from<T>({}, {value});
  }

  DType dtype() const { return dtype_; }
  const Extents& shape() const { return shape_; }
  std::size_t rank() const { return shape_.size(); }
  std::int64_t size() const { return element_count(shape_); }
  TensorType type() const { return {dtype_, to_shape(shape_)}; }

  /// The elements. Throws RunError if T is not what the tensor holds.
  template <Element T>
  std::span<T> data() {
    check_dtype(*dtype_of<T>);
    return {reinterpret_cast<T*>(bytes_.get()), static_cast<std::size_t>(size())};
  }
  template <Element T>
  std::span<const T> data() const {
    check_dtype(*dtype_of<T>);
    return {reinterpret_cast<const T*>(bytes_.get()), static_cast<std::size_t>(size())};
  }
  std::span<std::byte> bytes() { return {bytes_.get(), size_bytes_}; }
  std::span<const std::byte> bytes() const { return {bytes_.get(), size_bytes_}; }

  /// The only element of a tensor that has one.
  template <Element T>
  T item() const {
    check_count(*this, 1);
    return data<T>()[0];
  }
  /// Any element as a double, by its flat index.
  double at(std::int64_t flat) const;

  /// Gives the tensor another shape and leaves the elements undefined; allocates only when it outgrows its storage.
  void resize(std::span<const std::int64_t> shape);

  operator TensorView() const { return {dtype_, shape_, bytes_.get()}; }

  /// Same dtype, shape and bits.
  bool operator==(const Tensor& other) const;

 private:
  static void check_count(const Tensor& tensor, std::size_t count);
  void check_dtype(DType asked) const;

  struct Free {
    Free() : Free(0) {}
    explicit Free(std::size_t bytes, std::size_t offset = 0) : capacity_bytes(bytes), offset_bytes(offset) {}
    std::size_t capacity_bytes;
    std::size_t offset_bytes;  // from what was allocated to the first element
    void operator()(std::byte* memory) const;
  };

  DType dtype_;
  Extents shape_;
  std::size_t size_bytes_ = 0;
  std::unique_ptr<std::byte[], Free> bytes_;
};

/// "f32 [2, 3]"; up to a few elements follow.
std::string to_string(const Tensor& tensor);

}  // namespace lathe
