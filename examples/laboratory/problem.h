#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include <lathe/graph/tensor.h>

#include "batch.h"

namespace lathe::laboratory {

/// What all ways are given: Fashion-MNIST in the order of an epoch, and weights to start from.
struct Problem {
  /// `folder` as data::fashion_mnist takes it; at most `limit` examples.
  Problem(const std::optional<std::filesystem::path>& folder, std::uint64_t seed, std::optional<std::int64_t> limit);

  /// How many whole batches of this size there are.
  std::int64_t batches(std::int64_t size) const { return labels.size() / size; }
  /// One of them; after the last comes the first.
  Batch batch(std::int64_t size, std::int64_t number) const;

  Tensor images;  // u8 [n, 784]
  Tensor labels;  // u8 [n]
  std::vector<Tensor> weights;
};

}  // namespace lathe::laboratory
