#include "problem.h"

#include <algorithm>

#include "network.h"

namespace lathe::laboratory {

Problem::Problem(const std::optional<std::filesystem::path>& folder, std::uint64_t seed,
                 std::optional<std::int64_t> limit)
    : images(u8, {}), labels(u8, {}) {
  const data::FashionMnist data = data::fashion_mnist(folder);
  std::vector<std::int64_t> order(static_cast<std::size_t>(data.train_labels.size()));
  data::epoch_order(order, seed, 0);
  if (limit) order.resize(std::min(order.size(), static_cast<std::size_t>(*limit)));
  const auto count = static_cast<std::int64_t>(order.size());
  images = Tensor(u8, {count, pixels});
  labels = Tensor(u8, {count});
  for (std::size_t row = 0; row < order.size(); ++row) {
    const auto example = static_cast<std::size_t>(order[row]);
    std::ranges::copy(data.train_images.data<std::uint8_t>().subspan(example * pixels, pixels),
                      images.data<std::uint8_t>().subspan(row * pixels).begin());
    labels.data<std::uint8_t>()[row] = data.train_labels.data<std::uint8_t>()[example];
  }

  Graph graph;
  Values initial;
  for (const Extents& extents : weight_extents) {
    initial.push_back(extents.size() == 2 ? nn::init::glorot_uniform(graph, to_shape(extents))
                                          : Value(constant(graph, Tensor(f32, extents))));
  }
  // By the interpreter: nothing is compiled, or even loaded, before a way is measured.
  Session session(graph, {.threads = 1, .interpret = true, .seed = seed});
  weights = session.run({initial[0], initial[1], initial[2], initial[3]});
}

Batch Problem::batch(std::int64_t size, std::int64_t number) const {
  const auto first = static_cast<std::size_t>(number % batches(size) * size);
  return {.size = size,
          .pixels = images.data<std::uint8_t>().data() + first * pixels,
          .classes = labels.data<std::uint8_t>().data() + first};
}

}  // namespace lathe::laboratory
