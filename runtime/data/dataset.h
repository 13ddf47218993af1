#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <lathe/graph/tensor.h>

namespace lathe::data {

/// Examples as parallel tensors, such as images [n, 28, 28] and labels [n]: row i of each belongs to example i.
/// Borrows the data, which must outlive it.
class Dataset {
 public:
  /// Only the first `limit` examples count, if that is given and there are more. Throws DataError if there is no
  /// column, if one is a scalar, or if their first extents differ.
  explicit Dataset(std::vector<TensorView> columns, std::optional<std::int64_t> limit = std::nullopt);

  std::int64_t size() const { return size_; }
  std::span<const TensorView> columns() const { return columns_; }

 private:
  std::vector<TensorView> columns_;
  std::int64_t size_ = 0;
};

/// How to cut a dataset into batches.
struct BatchOptions {
  std::int64_t size = 32;
  /// A new order for every epoch, a function of this seed and the epoch's number alone; without one, the data's order.
  std::optional<std::uint64_t> shuffle_seed = std::nullopt;
  /// Whether to leave out a last batch that is smaller than the others.
  bool drop_remainder = false;
};

/// Hands out a dataset batch after batch, in memory that is allocated once. Batches in the data's own order are views
/// of the data and are not copied.
class Batches {
 public:
  /// Starts with epoch 0. Throws DataError if the batch size is not positive.
  Batches(Dataset dataset, BatchOptions options);
  Batches(Batches&&) noexcept = default;
  Batches& operator=(Batches&&) noexcept = default;

  /// How many batches an epoch has.
  std::int64_t count() const;
  /// Goes to the start of an epoch.
  void start(std::int64_t epoch);
  /// The columns of the next batch, valid until the next call; empty at the epoch's end.
  std::span<const TensorView> next();

 private:
  void gather(std::size_t column, std::int64_t rows);

  Dataset dataset_;
  BatchOptions options_;
  std::vector<std::int64_t> order_;  // of the examples; empty unless shuffled
  std::vector<Tensor> storage_;      // one a column, for shuffled batches
  std::vector<Extents> shapes_;      // of the batch's columns; `views_` refer to them, so no copies
  std::vector<TensorView> views_;
  std::int64_t position_ = 0;
};

}  // namespace lathe::data
