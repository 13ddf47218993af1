#include <lathe/runtime/data/dataset.h>

#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

using namespace lathe;
using data::Batches;
using data::Dataset;

namespace {

Tensor counting(std::int64_t rows, std::int64_t columns) {
  Tensor out(DType::i32, {rows, columns});
  for (std::int32_t next = 0; auto& element : out.data<std::int32_t>()) element = next++;
  return out;
}

Tensor row_numbers(std::int64_t rows) {
  Tensor out(DType::i64, {rows});
  for (std::int64_t next = 0; auto& element : out.data<std::int64_t>()) element = next++;
  return out;
}

/// The row numbers that come out, batch after batch, after checking that each row of `counting` came along.
std::vector<std::vector<std::int64_t>> run_epoch(Batches& batches, std::int64_t columns) {
  std::vector<std::vector<std::int64_t>> out;
  for (auto batch = batches.next(); !batch.empty(); batch = batches.next()) {
    const auto rows = static_cast<std::size_t>(batch[1].shape[0]);
    REQUIRE(batch[0].shape[0] == batch[1].shape[0]);
    const auto* elements = reinterpret_cast<const std::int32_t*>(batch[0].data);
    const auto* numbers = reinterpret_cast<const std::int64_t*>(batch[1].data);
    out.emplace_back(numbers, numbers + rows);
    for (std::size_t i = 0; i < rows; ++i) {
      CHECK(elements[static_cast<std::int64_t>(i) * columns] == numbers[i] * columns);
      CHECK(elements[static_cast<std::int64_t>(i + 1) * columns - 1] == (numbers[i] + 1) * columns - 1);
    }
  }
  return out;
}

std::vector<std::int64_t> joined(const std::vector<std::vector<std::int64_t>>& batches) {
  std::vector<std::int64_t> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

}  // namespace

TEST_CASE("batches in order are views of the data, the last one smaller") {
  const Tensor x = counting(10, 3);
  const Tensor y = row_numbers(10);
  Batches batches(Dataset({x, y}), {.size = 4});
  CHECK(batches.count() == 3);
  CHECK(batches.next()[0].data == x.bytes().data());
  batches.start(0);
  CHECK(run_epoch(batches, 3) == std::vector<std::vector<std::int64_t>>{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}});
}

TEST_CASE("the remainder can be dropped") {
  const Tensor x = counting(10, 3);
  const Tensor y = row_numbers(10);
  Batches batches(Dataset({x, y}), {.size = 4, .drop_remainder = true});
  CHECK(batches.count() == 2);
  CHECK(joined(run_epoch(batches, 3)).size() == 8);
}

TEST_CASE("a shuffled epoch has every example once, with its own label") {
  const Tensor x = counting(101, 5);
  const Tensor y = row_numbers(101);
  Batches batches(Dataset({x, y}), {.size = 7, .shuffle_seed = 3});
  auto seen = joined(run_epoch(batches, 5));
  CHECK_FALSE(std::ranges::is_sorted(seen));
  std::ranges::sort(seen);
  CHECK(std::ranges::equal(seen, y.data<std::int64_t>()));
}

TEST_CASE("an epoch's order depends on seed and epoch and on nothing else") {
  const Tensor x = counting(50, 2);
  const Tensor y = row_numbers(50);
  Batches straight(Dataset({x, y}), {.size = 8, .shuffle_seed = 1});
  const auto first = joined(run_epoch(straight, 2));
  straight.start(1);
  const auto second = joined(run_epoch(straight, 2));
  CHECK(first != second);

  Batches resumed(Dataset({x, y}), {.size = 3, .shuffle_seed = 1});
  resumed.start(1);
  CHECK(joined(run_epoch(resumed, 2)) == second);

  Batches other_seed(Dataset({x, y}), {.size = 8, .shuffle_seed = 2});
  CHECK(joined(run_epoch(other_seed, 2)) != first);
}

TEST_CASE("a limit leaves the first examples") {
  const Tensor x = counting(10, 3);
  const Tensor y = row_numbers(10);
  Batches batches(Dataset({x, y}, 5), {.size = 2, .shuffle_seed = 1});
  CHECK(batches.count() == 3);
  auto seen = joined(run_epoch(batches, 3));
  std::ranges::sort(seen);
  CHECK(seen == std::vector<std::int64_t>{0, 1, 2, 3, 4});
  CHECK(Dataset({x, y}, 11).size() == 10);
}

TEST_CASE("shuffled batches use the same memory throughout") {
  const Tensor x = counting(10, 3);
  Batches batches(Dataset({x}), {.size = 4, .shuffle_seed = 0});
  const auto* first = batches.next()[0].data;
  CHECK(batches.next()[0].data == first);
  CHECK(batches.next()[0].data == first);
  batches.start(1);
  CHECK(batches.next()[0].data == first);
}

TEST_CASE("no examples, and fewer than a batch, are fine") {
  const Tensor none = counting(0, 3);
  Batches empty(Dataset({none}), {.size = 4, .shuffle_seed = 0});
  CHECK(empty.count() == 0);
  CHECK(empty.next().empty());
  const Tensor one = counting(1, 3);
  Batches single(Dataset({one}), {.size = 4, .shuffle_seed = 0});
  CHECK(single.next()[0].shape[0] == 1);
  CHECK(single.next().empty());
}

TEST_CASE("tensors that are no dataset are errors") {
  const Tensor x = counting(10, 3);
  const Tensor y = row_numbers(9);
  const Tensor scalar;
  CHECK_THROWS_WITH_AS(Dataset({}), "a dataset needs at least one tensor", DataError);
  CHECK_THROWS_WITH_AS(Dataset({x, y}), "tensor 1 of the dataset has 9 examples, tensor 0 has 10", DataError);
  CHECK_THROWS_WITH_AS(Dataset({scalar}), "tensor 0 of the dataset is a scalar; it has no examples", DataError);
  CHECK_THROWS_WITH_AS(Batches(Dataset({x}), {.size = 0}), "the batch size must be positive, not 0", DataError);
}
