#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lathe::bench {

/// Numbers of the examples in batch after batch, in the order that data::Batches has; the remainder of an epoch is
/// dropped.
class BatchOrder {
 public:
  BatchOrder(std::int64_t examples, std::int64_t batch, std::uint64_t shuffle_seed);
  std::span<const std::int64_t> next();

 private:
  void start_epoch();

  std::vector<std::int64_t> order_;
  std::size_t batch_;
  std::size_t position_ = 0;
  std::uint64_t seed_;
  std::uint64_t epoch_ = 0;
};

}  // namespace lathe::bench
