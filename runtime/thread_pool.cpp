#include <lathe/runtime/thread_pool.h>

#include <algorithm>
#include <limits>
#include <system_error>

#include <fmt/format.h>

#include <lathe/codegen/denormals.h>
#include <lathe/graph/error.h>
#include <lathe/runtime/cpus.h>

// How a claim stays safe without waiting for every worker. A ticket holds a generation and how many claims of its share
// are left. A thread reads the ticket, then the job beside it, then takes the claim by exchanging the ticket for its
// successor. A job ends when all claims are done, and so none is left: if the exchange succeeds, there were claims left
// throughout, and the job that was read is the ticket's. A worker that comes late fails the exchange, or finds nothing
// left, and has touched nothing. A line of memory takes its time from core to core: so a thread finds all it needs in
// one, and while it works nobody else looks at that often.
//
// A system that wakes a thread may put it on the CPU of the one that wakes it, though others are idle: Linux does so
// where few CPUs share a cache and all have slept for some ten milliseconds. There it would not run before the caller
// has had its turn of several milliseconds. So the caller offers its CPU once, and a worker that finds itself there
// leaves.

namespace lathe {
namespace {

constexpr unsigned claim_bits = 24;
constexpr std::uint64_t claim_mask = (std::uint64_t{1} << claim_bits) - 1;
constexpr std::int64_t most_claims = static_cast<std::int64_t>(claim_mask);

std::uint64_t generation_of(std::uint64_t ticket) {
  return ticket >> claim_bits;
}
std::int64_t left_of(std::uint64_t ticket) {
  return static_cast<std::int64_t>(ticket & claim_mask);
}
std::uint64_t make_ticket(std::uint64_t generation, std::uint64_t left) {
  return generation << claim_bits | left;
}

// Lets what shares the core have it for a moment. Not x86's `pause`: many of them make hypervisors take the CPU away.
void relax() {
#if defined(__x86_64__)
  asm volatile("lfence" ::: "memory");
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Of the share of one of so many threads.
std::uint64_t first_claim(std::uint32_t claims, std::size_t thread, std::size_t threads) {
  return std::uint64_t{claims} * thread / threads;
}

std::chrono::nanoseconds time_a_claim(std::chrono::steady_clock::time_point start, std::uint32_t claims) {
  return claims == 0 ? std::chrono::nanoseconds(0) : (std::chrono::steady_clock::now() - start) / claims;
}

void run_pieces(abi::ChunkFunction chunk, const void* frame, std::int64_t begin, std::int64_t end, std::int64_t grain) {
  while (begin < end) {
    const std::int64_t stop = end - begin > grain ? begin + grain : end;
    chunk(frame, begin, stop);
    begin = stop;
  }
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  if (threads < 0) throw RunError(fmt::format("{} is not a number of threads", threads));
  const int cpus = usable_cpus();
  if (threads == 0) threads = cpus;
  // With more threads than CPUs, whoever spins keeps somebody with work off the CPU.
  room_ = threads <= cpus;
  spin_ = std::chrono::microseconds(room_ ? 50 : 0);
  patience_ = std::chrono::microseconds(room_ ? 20 : 0);
  shares_ = std::vector<Share>(static_cast<std::size_t>(threads));
  workers_.reserve(shares_.size() - 1);
  for (std::size_t thread = 1; thread < shares_.size(); ++thread) {
    try {
      workers_.emplace_back([this, thread] { work(thread); });
    } catch (const std::system_error&) {
      return;
    }
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true);
  wake_ups_.fetch_add(1);
  wake_ups_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::parallel_for(void* context, abi::ChunkFunction chunk, const void* frame, std::int64_t items,
                              std::int64_t grain) {
  static_cast<ThreadPool*>(context)->run(chunk, frame, items, grain);
}

void ThreadPool::run(abi::ChunkFunction chunk, const void* frame, std::int64_t items, std::int64_t grain) {
  if (items <= 0) return;
  grain = std::clamp<std::int64_t>(grain, 1, items);
  const std::int64_t pieces = (items - 1) / grain + 1;
  if (pieces == 1 || workers_.empty() || busy_.exchange(true, std::memory_order_acquire)) {
    run_pieces(chunk, frame, 0, items, grain);
    return;
  }
  const std::int64_t pieces_per_claim = (pieces - 1) / most_claims + 1;
  const auto claims = static_cast<std::uint32_t>((pieces - 1) / pieces_per_claim + 1);
  const std::uint32_t before = done_by_workers_.load(std::memory_order_relaxed);
  publish(chunk, frame, items, grain, pieces_per_claim, claims);
  const bool slept = wake(sleepers_.load(std::memory_order_relaxed), claims);
  const auto start = Clock::now();
  std::uint32_t own = 0;
  if (slept && room_) {
    own = drain(shares_.front(), 1);
    if (!all_have_begun(claims)) std::this_thread::yield();
  }
  own += drain(shares_.front(), claims);
  const auto time = time_a_claim(start, own);
  // With park(): one of the two sides sees the other. Not until now: it takes until all stores have reached the others.
  if (!slept) wake(sleepers_.fetch_add(0, std::memory_order_acq_rel), claims);
  help(
      0, time, slept ? std::chrono::nanoseconds(0) : patience_, [&](std::uint32_t done) { own += done; },
      [&] { return done_by_workers_.load(std::memory_order_acquire) - before == claims - own; });
  await(before + claims - own);
  busy_.store(false, std::memory_order_release);
}

/// Shares are runs of neighbouring claims. The caller's comes last: the others are waited for.
void ThreadPool::publish(abi::ChunkFunction chunk, const void* frame, std::int64_t items, std::int64_t grain,
                         std::int64_t pieces_per_claim, std::uint32_t claims) {
  constexpr auto relaxed = std::memory_order_relaxed;
  const std::uint64_t generation = generation_of(shares_.front().ticket.load(relaxed)) + 1;
  for (std::size_t i = shares_.size(); i-- > 0;) {
    Share& share = shares_[i];
    const std::uint64_t first = first_claim(claims, i, shares_.size());
    const std::uint64_t end = first_claim(claims, i + 1, shares_.size());
    share.chunk.store(chunk, relaxed);
    share.frame.store(frame, relaxed);
    share.items.store(items, relaxed);
    share.grain.store(grain, relaxed);
    share.pieces_per_claim.store(pieces_per_claim, relaxed);
    share.end_claim.store(static_cast<std::uint32_t>(end), relaxed);
    share.ticket.store(make_ticket(generation, end - first), std::memory_order_release);
  }
}

/// Wakes as many workers as there is work for, and returns whether any slept.
bool ThreadPool::wake(std::uint32_t sleepers, std::uint32_t claims) {
  if (sleepers == 0) return false;
  waker_cpu_.store(current_cpu(), std::memory_order_relaxed);
  wake_ups_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers < claims) {
    wake_ups_.notify_all();
  } else {
    for (std::uint32_t i = 1; i < claims; ++i) wake_ups_.notify_one();
  }
  return true;
}

/// Whether each worker with a share has taken a claim of it.
bool ThreadPool::all_have_begun(std::uint32_t claims) const {
  for (std::size_t i = 1; i < shares_.size(); ++i) {
    const std::uint64_t all = first_claim(claims, i + 1, shares_.size()) - first_claim(claims, i, shares_.size());
    if (all > 0 && left_of(shares_[i].ticket.load(std::memory_order_relaxed)) == static_cast<std::int64_t>(all)) {
      return false;
    }
  }
  return true;
}

/// Runs at most so many claims of one share, and returns how many it ran.
std::uint32_t ThreadPool::drain(Share& share, std::uint32_t most) {
  constexpr auto acquire = std::memory_order_acquire;
  std::uint64_t ticket = share.ticket.load(acquire);
  std::uint32_t done = 0;
  while (done < most && left_of(ticket) > 0) {
    const abi::ChunkFunction chunk = share.chunk.load(acquire);
    const void* const frame = share.frame.load(acquire);
    const std::int64_t items = share.items.load(acquire);
    const std::int64_t grain = share.grain.load(acquire);
    const std::int64_t pieces_per_claim = share.pieces_per_claim.load(acquire);
    const std::int64_t claim = std::int64_t{share.end_claim.load(acquire)} - left_of(ticket);
    if (!share.ticket.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, acquire)) continue;

    // Every claim but the last is whole, so only its end can leave 64 bits.
    const std::int64_t begin = claim * pieces_per_claim * grain;
    const bool whole = (items - begin) / grain >= pieces_per_claim;
    run_pieces(chunk, frame, begin, whole ? begin + pieces_per_claim * grain : items, grain);
    ++done;
    ticket = share.ticket.load(acquire);
  }
  return done;
}

/// Takes over claims of other threads' shares if those threads will not be done soon, until the job is `over`. What
/// they work on is in their cores' caches, so a short wait costs less than the work in another place.
template <class Note, class Condition>
void ThreadPool::help(std::size_t thread, std::chrono::nanoseconds time_a_claim, std::chrono::nanoseconds patience,
                      Note note, Condition over) {
  constexpr std::chrono::microseconds pause(2);
  for (std::size_t i = 1; i < shares_.size(); ++i) {
    Share& share = shares_[(thread + i) % shares_.size()];
    std::uint64_t seen = share.ticket.load(std::memory_order_acquire);
    const std::uint64_t generation = generation_of(seen);
    auto since = Clock::now();
    for (std::uint64_t ticket = seen; generation_of(ticket) == generation && left_of(ticket) > 0 && !over();
         ticket = share.ticket.load(std::memory_order_acquire)) {
      const auto now = Clock::now();
      if (ticket != seen) {
        seen = ticket;
        since = now;
      }
      if (now - since >= patience || time_a_claim * left_of(ticket) > patience) {
        note(drain(share, 1));
        continue;
      }
      // Looking takes the line from the core that works: not too often.
      while (!over() && Clock::now() - now < pause) relax();
    }
  }
}

void ThreadPool::await(std::uint32_t done_by_workers) {
  if (spin_until([&] { return done_by_workers_.load(std::memory_order_acquire) == done_by_workers; })) return;
  caller_sleeps_.store(true, std::memory_order_seq_cst);
  for (std::uint32_t done = 0; (done = done_by_workers_.load(std::memory_order_seq_cst)) != done_by_workers;) {
    done_by_workers_.wait(done, std::memory_order_acquire);
  }
  caller_sleeps_.store(false, std::memory_order_relaxed);
}

// With await(): one of the two sides sees the other. Notifying where nobody sleeps is not free: the standard library
// asks the system as soon as anybody in the process sleeps on whatever it files under the same number.
void ThreadPool::note_done(std::uint32_t claims) {
  if (claims == 0) return;
  done_by_workers_.fetch_add(claims, std::memory_order_seq_cst);
  if (caller_sleeps_.load(std::memory_order_seq_cst)) done_by_workers_.notify_one();
}

void ThreadPool::work(std::size_t thread) {
  const FlushDenormals flush;
  Share& share = shares_[thread];
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::uint64_t generation = generation_of(share.ticket.load(std::memory_order_acquire));
    const auto start = Clock::now();
    const std::uint32_t done = drain(share, std::numeric_limits<std::uint32_t>::max());
    const auto time = time_a_claim(start, done);
    // Once for all of them: every change of the counter takes its line from another core.
    note_done(done);
    help(
        thread, time, patience_, [&](std::uint32_t more) { note_done(more); },
        [&] { return generation_of(share.ticket.load(std::memory_order_acquire)) != generation; });
    park(thread, generation);
  }
}

/// Returns when there may be a job of another generation, or the pool is stopping.
void ThreadPool::park(std::size_t thread, std::uint64_t generation) {
  const std::atomic<std::uint64_t>& ticket = shares_[thread].ticket;
  const auto over = [&] {
    return generation_of(ticket.load(std::memory_order_acquire)) != generation || stopping_.load();
  };
  if (spin_until(over)) return;
  sleepers_.fetch_add(1, std::memory_order_acq_rel);
  const std::uint32_t seen = wake_ups_.load(std::memory_order_seq_cst);
  if (!over()) {
    wake_ups_.wait(seen, std::memory_order_seq_cst);
    if (room_) leave_cpu(waker_cpu_.load(std::memory_order_relaxed));
  }
  sleepers_.fetch_sub(1, std::memory_order_acq_rel);
}

template <class Condition>
bool ThreadPool::spin_until(Condition condition) const {
  if (condition()) return true;
  const auto deadline = std::chrono::steady_clock::now() + spin_;
  do {
    for (int i = 0; i < 32; ++i) {
      relax();
      if (condition()) return true;
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

}  // namespace lathe
