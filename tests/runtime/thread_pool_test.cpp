#include <lathe/runtime/thread_pool.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <lathe/graph/error.h>

using lathe::ThreadPool;

namespace {

/// Counts how often each item was run, and the pieces whose bounds break the rules.
struct Tally {
  std::vector<std::atomic<int>> counts;
  std::int64_t grain;
  std::atomic<int> bad_pieces = 0;

  Tally(std::int64_t items, std::int64_t piece) : counts(static_cast<std::size_t>(items)), grain(piece) {}

  static void chunk(const void* frame, std::int64_t begin, std::int64_t end) {
    Tally& tally = *const_cast<Tally*>(static_cast<const Tally*>(frame));
    const auto items = static_cast<std::int64_t>(tally.counts.size());
    if (begin % tally.grain != 0 || end != std::min(begin + tally.grain, items)) ++tally.bad_pieces;
    for (std::int64_t i = begin; i < end; ++i) ++tally.counts[static_cast<std::size_t>(i)];
  }

  void run_on(ThreadPool& pool) { pool.run(chunk, this, static_cast<std::int64_t>(counts.size()), grain); }
  bool each_item_ran(int times) const {
    return bad_pieces == 0 && std::all_of(counts.begin(), counts.end(), [&](const auto& n) { return n == times; });
  }
};

}  // namespace

TEST_CASE("a pool has as many threads as asked for, the caller among them, and at least one for 0") {
  CHECK(ThreadPool(1).threads() == 1);
  CHECK(ThreadPool(3).threads() == 3);
  CHECK(ThreadPool(0).threads() >= 1);
  CHECK_THROWS_WITH_AS(ThreadPool(-1), "-1 is not a number of threads", lathe::RunError);
}

TEST_CASE("every item runs once, in pieces of the grain, for any number of threads") {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (const std::int64_t items : {0, 1, 2, 7, 64, 1000}) {
      for (const std::int64_t grain : {1, 3, 64, 5000}) {
        CAPTURE(threads);
        CAPTURE(items);
        CAPTURE(grain);
        Tally tally(items, std::clamp<std::int64_t>(grain, 1, std::max<std::int64_t>(items, 1)));
        tally.run_on(pool);
        CHECK(tally.each_item_ran(1));
      }
    }
  }
}

TEST_CASE("the pool is a parallel-for of the ABI") {
  ThreadPool pool(2);
  Tally tally(100, 7);
  const lathe::abi::ParallelFor parallel_for = &ThreadPool::parallel_for;
  parallel_for(&pool, Tally::chunk, &tally, 100, 7);
  CHECK(tally.each_item_ran(1));
}

TEST_CASE("more pieces than a ticket can number are claimed several at a time") {
  ThreadPool pool(2);
  struct Sum {
    std::atomic<std::int64_t> items = 0;
    static void chunk(const void* frame, std::int64_t begin, std::int64_t end) {
      const_cast<Sum*>(static_cast<const Sum*>(frame))->items.fetch_add(end - begin, std::memory_order_relaxed);
    }
  };
  Sum sum;
  constexpr std::int64_t items = (std::int64_t{1} << 24) + 12345;
  pool.run(Sum::chunk, &sum, items, 1);
  CHECK(sum.items == items);
  // Ranges near the end of 64 bits do not overflow.
  Sum vast;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  pool.run(Sum::chunk, &vast, most, most / 1000);
  CHECK(vast.items == most);
}

TEST_CASE("tens of thousands of short calls lose and repeat nothing") {
  for (const int threads : {2, 3, 8}) {
    ThreadPool pool(threads);
    Tally tally(24, 2);
    constexpr int calls = 20000;
    for (int call = 0; call < calls; ++call) tally.run_on(pool);
    CAPTURE(threads);
    CHECK(tally.each_item_ran(calls));
  }
}

TEST_CASE("workers that have gone to sleep are woken by the next call") {
  ThreadPool pool(4);
  Tally tally(64, 1);
  constexpr int calls = 50;
  for (int call = 0; call < calls; ++call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    tally.run_on(pool);
  }
  CHECK(tally.each_item_ran(calls));
}

TEST_CASE("a caller that went to sleep while the last piece ran is woken") {
  ThreadPool pool(2);
  struct Slow {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> done = 0;
    static void chunk(const void* frame, std::int64_t, std::int64_t) {
      auto& slow = *const_cast<Slow*>(static_cast<const Slow*>(frame));
      // Longer than anybody spins.
      if (std::this_thread::get_id() != slow.caller) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ++slow.done;
    }
  };
  Slow slow;
  constexpr int calls = 50;
  for (int call = 0; call < calls; ++call) pool.run(Slow::chunk, &slow, 2, 1);
  CHECK(slow.done == 2 * calls);
}

TEST_CASE("two pieces run at the same time on two threads, even when the worker slept") {
  ThreadPool pool(2);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // Each piece waits for the other to begin: one thread alone would never finish.
  struct Meeting {
    std::atomic<int> arrived = 0;
    static void chunk(const void* frame, std::int64_t, std::int64_t) {
      auto& meeting = *const_cast<Meeting*>(static_cast<const Meeting*>(frame));
      ++meeting.arrived;
      while (meeting.arrived < 2) std::this_thread::yield();
    }
  };
  Meeting meeting;
  pool.run(Meeting::chunk, &meeting, 2, 1);
  CHECK(meeting.arrived == 2);
}

TEST_CASE("a chunk may call the pool that runs it") {
  ThreadPool pool(3);
  std::vector<std::unique_ptr<Tally>> tallies;
  struct Nest {
    ThreadPool* pool;
    std::vector<std::unique_ptr<Tally>>* tallies;
    static void chunk(const void* frame, std::int64_t begin, std::int64_t end) {
      const auto& nest = *static_cast<const Nest*>(frame);
      for (std::int64_t i = begin; i < end; ++i) (*nest.tallies)[static_cast<std::size_t>(i)]->run_on(*nest.pool);
    }
  };
  for (int i = 0; i < 16; ++i) tallies.push_back(std::make_unique<Tally>(50, 4));
  const Nest nest{&pool, &tallies};
  pool.run(Nest::chunk, &nest, 16, 1);
  for (const auto& tally : tallies) CHECK(tally->each_item_ran(1));
}

TEST_CASE("several user threads may call one pool at once") {
  ThreadPool pool(3);
  constexpr int users = 4;
  constexpr int calls = 2000;
  std::vector<std::unique_ptr<Tally>> tallies;
  for (int i = 0; i < users; ++i) tallies.push_back(std::make_unique<Tally>(40, 3));
  std::vector<std::thread> threads;
  for (int i = 0; i < users; ++i) {
    threads.emplace_back([&pool, &tally = *tallies[static_cast<std::size_t>(i)]] {
      for (int call = 0; call < calls; ++call) tally.run_on(pool);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& tally : tallies) CHECK(tally->each_item_ran(calls));
}

TEST_CASE("pools start and stop whatever their workers are doing") {
  for (int round = 0; round < 200; ++round) {
    ThreadPool pool(4);
    Tally tally(8, 1);
    if (round % 2 == 0) tally.run_on(pool);
    CHECK(tally.each_item_ran(round % 2 == 0 ? 1 : 0));
  }
}

TEST_CASE("workers flush subnormal numbers to zero") {
  ThreadPool pool(2);
  struct Halves {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> arrived = 0;
    std::atomic<bool> worker_flushes = false;
    static void chunk(const void* frame, std::int64_t, std::int64_t) {
      auto& halves = *const_cast<Halves*>(static_cast<const Halves*>(frame));
      ++halves.arrived;
      while (halves.arrived < 2) std::this_thread::yield();
      if (std::this_thread::get_id() == halves.caller) return;
      volatile float smallest = std::numeric_limits<float>::min();
      halves.worker_flushes = smallest * 0.5f == 0.0f;
    }
  };
  Halves halves;
  pool.run(Halves::chunk, &halves, 2, 1);
  CHECK(halves.worker_flushes);
}
