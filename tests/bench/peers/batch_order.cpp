#include "batch_order.h"

#include <numeric>

#include <lathe/runtime/data/shuffle.h>

namespace lathe::bench {

BatchOrder::BatchOrder(std::int64_t examples, std::int64_t batch, std::uint64_t shuffle_seed)
    : order_(static_cast<std::size_t>(examples)), batch_(static_cast<std::size_t>(batch)), seed_(shuffle_seed) {
  start_epoch();
}

std::span<const std::int64_t> BatchOrder::next() {
  if (position_ + batch_ > order_.size()) {
    ++epoch_;
    start_epoch();
  }
  const auto examples = std::span(order_).subspan(position_, batch_);
  position_ += batch_;
  return examples;
}

void BatchOrder::start_epoch() {
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  data::shuffle(order_, data::derive_seed(seed_, epoch_));
  position_ = 0;
}

}  // namespace lathe::bench
