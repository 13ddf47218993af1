#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include <lathe/codegen/abi.h>

namespace lathe {

/// Threads that run the chunks of kernels, the calling thread among them.
///
/// Chunks are claimed one after another from counters. Each thread has a share of its own, the same at every call of
/// the same size, so that it finds the same data in its cache; a thread that is done helps another that is far behind
/// or does not move. So a worker that the system has put aside delays nothing but a chunk it has begun: a call returns
/// when all chunks are done, not when all workers have looked. Idle workers
/// spin briefly, since the next kernel is usually microseconds away, and then sleep. Calls allocate nothing. Workers
/// flush subnormals to zero, as every run does.
class ThreadPool {
 public:
  /// `threads` counts the caller; 0 means usable_cpus(). Where the system refuses more threads, the pool has fewer.
  /// Throws RunError if `threads` is negative.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Runs `chunk` over [0, items) in pieces of `grain` items (the last may be shorter), each once, on any threads and
  /// in any order; returns when all is done. May be called from several threads and from within a chunk: whoever finds
  /// the pool busy does its pieces alone.
  void run(abi::ChunkFunction chunk, const void* frame, std::int64_t items, std::int64_t grain);

  /// run() as an abi::ParallelFor; `context` is the pool.
  static void parallel_for(void* context, abi::ChunkFunction chunk, const void* frame, std::int64_t items,
                           std::int64_t grain);

 private:
  /// A thread's part of a job, all in the one line of memory that the thread waits for and then works from.
  struct alignas(64) Share {
    std::atomic<std::uint64_t> ticket = 0;  // the job's generation and how many claims are left: see thread_pool.cpp
    // Workers may read these while the next job is written, and then never act on them.
    std::atomic<abi::ChunkFunction> chunk = nullptr;
    std::atomic<const void*> frame = nullptr;
    std::atomic<std::int64_t> items = 0;
    std::atomic<std::int64_t> grain = 1;
    std::atomic<std::int64_t> pieces_per_claim = 1;
    std::atomic<std::uint32_t> end_claim = 0;
  };
  static_assert(sizeof(Share) == 64);

  using Clock = std::chrono::steady_clock;

  void work(std::size_t thread);
  void park(std::size_t thread, std::uint64_t generation);
  void publish(abi::ChunkFunction chunk, const void* frame, std::int64_t items, std::int64_t grain,
               std::int64_t pieces_per_claim, std::uint32_t claims);
  bool wake(std::uint32_t sleepers, std::uint32_t claims);
  bool all_have_begun(std::uint32_t claims) const;
  void await(std::uint32_t done_by_workers);

  std::uint32_t drain(Share& share, std::uint32_t most_claims);
  template <class Note, class Condition>
  void help(std::size_t thread, std::chrono::nanoseconds time_a_claim, std::chrono::nanoseconds patience, Note note,
            Condition over);
  void note_done(std::uint32_t claims);
  template <class Condition>
  bool spin_until(Condition condition) const;

  std::vector<Share> shares_;                                   // one a thread, the caller's first
  alignas(64) std::atomic<std::uint32_t> done_by_workers_ = 0;  // claims of all jobs so far
  std::atomic<bool> caller_sleeps_ = false;  // until they are done; read by who has the line of the counter at hand
  alignas(64) std::atomic<std::uint32_t> wake_ups_ = 0;
  std::atomic<std::uint32_t> sleepers_ = 0;
  std::atomic<int> waker_cpu_ = -1;  // where the caller was when it woke workers
  std::atomic<bool> busy_ = false;
  std::atomic<bool> stopping_ = false;
  bool room_ = true;  // for all threads on CPUs of their own
  std::chrono::nanoseconds spin_{};
  std::chrono::nanoseconds patience_{};  // before taking over work that belongs to another core
  std::vector<std::thread> workers_;
};

}  // namespace lathe
