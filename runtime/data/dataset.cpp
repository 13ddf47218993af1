#include <lathe/runtime/data/dataset.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <lathe/runtime/data/shuffle.h>

namespace lathe::data {
namespace {

std::int64_t row_bytes(const TensorView& column) {
  std::int64_t bytes = static_cast<std::int64_t>(size_of(column.dtype));
  for (const std::int64_t extent : column.shape.subspan(1)) bytes *= extent;
  return bytes;
}

}  // namespace

Dataset::Dataset(std::vector<TensorView> columns, std::optional<std::int64_t> limit) : columns_(std::move(columns)) {
  if (columns_.empty()) throw DataError("a dataset needs at least one tensor");
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto& shape = columns_[i].shape;
    if (shape.empty()) throw DataError(fmt::format("tensor {} of the dataset is a scalar; it has no examples", i));
    if (shape[0] == columns_[0].shape[0]) continue;
    throw DataError(
        fmt::format("tensor {} of the dataset has {} examples, tensor 0 has {}", i, shape[0], columns_[0].shape[0]));
  }
  size_ = columns_[0].shape[0];
  if (limit) size_ = std::clamp<std::int64_t>(*limit, 0, size_);
}

Batches::Batches(Dataset dataset, BatchOptions options) : dataset_(std::move(dataset)), options_(options) {
  if (options_.size <= 0) throw DataError(fmt::format("the batch size must be positive, not {}", options_.size));
  if (options_.shuffle_seed) order_.resize(static_cast<std::size_t>(dataset_.size()));
  const auto columns = dataset_.columns();
  for (const TensorView& column : columns) {
    Extents shape(column.shape.begin(), column.shape.end());
    shape[0] = std::min(options_.size, dataset_.size());
    if (options_.shuffle_seed) storage_.emplace_back(column.dtype, shape);
    shapes_.push_back(std::move(shape));
    views_.push_back({column.dtype, shapes_.back(), column.data});
  }
  start(0);
}

std::int64_t Batches::count() const {
  const std::int64_t rest = options_.drop_remainder ? 0 : options_.size - 1;
  return (dataset_.size() + rest) / options_.size;
}

void Batches::start(std::int64_t epoch) {
  position_ = 0;
  if (options_.shuffle_seed) epoch_order(order_, *options_.shuffle_seed, epoch);
}

std::span<const TensorView> Batches::next() {
  const std::int64_t rows = std::min(options_.size, dataset_.size() - position_);
  if (rows <= 0 || (options_.drop_remainder && rows < options_.size)) return {};
  for (std::size_t i = 0; i < views_.size(); ++i) {
    shapes_[i][0] = rows;
    if (options_.shuffle_seed) {
      gather(i, rows);
    } else {
      views_[i].data = dataset_.columns()[i].data + position_ * row_bytes(views_[i]);
    }
  }
  position_ += rows;
  return views_;
}

void Batches::gather(std::size_t column, std::int64_t rows) {
  const TensorView& from = dataset_.columns()[column];
  const auto bytes = static_cast<std::size_t>(row_bytes(from));
  std::byte* to = storage_[column].bytes().data();
  views_[column].data = to;
  for (const std::int64_t example :
       std::span(order_).subspan(static_cast<std::size_t>(position_)).first(static_cast<std::size_t>(rows))) {
    std::memcpy(to, from.data + static_cast<std::size_t>(example) * bytes, bytes);
    to += bytes;
  }
}

}  // namespace lathe::data
