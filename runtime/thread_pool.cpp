#include <lathe/runtime/thread_pool.h>

#include <algorithm>
#include <limits>
#include <system_error>

#include <fmt/format.h>

#include <lathe/codegen/denormals.h>
#include <lathe/graph/error.h>
#include <lathe/runtime/cpus.h>

// How a claim stays safe without waiting for every worker. A ticket holds a generation and the number of the next claim
// in one share of the job. A thread reads the ticket, then the job, then takes the claim by exchanging the ticket for
// its successor. The caller closes all tickets (another generation, no claims) before it writes a new job. So if the
// exchange succeeds, the ticket was open throughout and the job that was read is the ticket's; and the job cannot end
// before the claim is done. A worker that comes late fails the exchange and has touched nothing.

namespace lathe {
namespace {

constexpr unsigned claim_bits = 24;
constexpr std::uint64_t claim_mask = (std::uint64_t{1} << claim_bits) - 1;
constexpr std::uint64_t closed = claim_mask;  // beyond any number of claims
constexpr std::int64_t most_claims = static_cast<std::int64_t>(closed) - 1;

std::uint64_t generation_of(std::uint64_t ticket) {
  return ticket >> claim_bits;
}
std::uint64_t make_ticket(std::uint64_t generation, std::uint64_t claim) {
  return generation << claim_bits | claim;
}

// Lets what shares the core have it for a moment. Not x86's `pause`: many of them make hypervisors take the CPU away.
void relax() {
#if defined(__x86_64__)
  asm volatile("lfence" ::: "memory");
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
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
  const bool room = threads <= cpus;
  spin_ = std::chrono::microseconds(room ? 50 : 0);
  patience_ = std::chrono::microseconds(room ? 20 : 0);
  tickets_ = std::vector<Ticket>(static_cast<std::size_t>(threads));
  workers_.reserve(tickets_.size() - 1);
  for (std::size_t thread = 1; thread < tickets_.size(); ++thread) {
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
  const std::uint32_t sleepers = publish(chunk, frame, items, grain, pieces);
  drain(0, sleepers == 0 ? patience_ : std::chrono::nanoseconds(0));
  await_claims();
  busy_.store(false, std::memory_order_release);
}

std::uint32_t ThreadPool::publish(abi::ChunkFunction chunk, const void* frame, std::int64_t items, std::int64_t grain,
                                  std::int64_t pieces) {
  constexpr auto release = std::memory_order_release;
  const std::uint64_t generation = generation_of(tickets_.front().word.load(std::memory_order_relaxed));
  const std::int64_t pieces_per_claim = (pieces - 1) / most_claims + 1;
  const auto claims = static_cast<std::uint32_t>((pieces - 1) / pieces_per_claim + 1);
  for (Ticket& ticket : tickets_) ticket.word.store(make_ticket(generation + 1, closed), release);
  // Each store releases the closing: a worker that sees any of them cannot exchange the old ticket any more.
  job_.chunk.store(chunk, release);
  job_.frame.store(frame, release);
  job_.items.store(items, release);
  job_.grain.store(grain, release);
  job_.pieces_per_claim.store(pieces_per_claim, release);
  job_.claims.store(claims, release);
  claims_done_.store(0, release);
  // These and the load below pair with park(): one of the two sides sees the other.
  for (Ticket& ticket : tickets_) ticket.word.store(make_ticket(generation + 2, 0), std::memory_order_seq_cst);
  const std::uint32_t sleepers = sleepers_.load(std::memory_order_seq_cst);
  if (sleepers == 0) return 0;
  wake_ups_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers < claims) {
    wake_ups_.notify_all();
  } else {
    for (std::uint32_t i = 1; i < claims; ++i) wake_ups_.notify_one();
  }
  return sleepers;
}

/// Runs the claims of the thread's own share, then helps with the others'.
void ThreadPool::drain(std::size_t thread, std::chrono::nanoseconds patience) {
  const auto start = Clock::now();
  const std::uint32_t own = drain_share(thread, std::numeric_limits<std::uint32_t>::max());
  const auto time_a_claim = own == 0 ? std::chrono::nanoseconds(0) : (Clock::now() - start) / own;
  for (std::size_t i = 1; i < tickets_.size(); ++i) help((thread + i) % tickets_.size(), time_a_claim, patience);
}

/// Runs at most so many claims of one share, and returns how many it ran.
std::uint32_t ThreadPool::drain_share(std::size_t share, std::uint32_t most) {
  constexpr auto acquire = std::memory_order_acquire;
  std::atomic<std::uint64_t>& word = tickets_[share].word;
  std::uint64_t ticket = word.load(acquire);
  std::uint32_t done = 0;
  std::uint32_t all = 0;
  while (done < most) {
    const std::uint32_t claims = job_.claims.load(acquire);
    const abi::ChunkFunction chunk = job_.chunk.load(acquire);
    const void* const frame = job_.frame.load(acquire);
    const std::int64_t items = job_.items.load(acquire);
    const std::int64_t grain = job_.grain.load(acquire);
    const std::int64_t pieces_per_claim = job_.pieces_per_claim.load(acquire);
    const std::uint64_t claim = first_claim(claims, share) + (ticket & claim_mask);
    if (claim >= first_claim(claims, share + 1)) break;
    if (!word.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, acquire)) continue;

    // Every claim but the last is whole, so only its end can leave 64 bits.
    const std::int64_t begin = static_cast<std::int64_t>(claim) * pieces_per_claim * grain;
    const std::int64_t end = claim + 1 == claims ? items : begin + pieces_per_claim * grain;
    run_pieces(chunk, frame, begin, end, grain);
    ++done;
    all = claims;
    ticket = word.load(acquire);
  }
  // Once for all of them: every change of the counter takes its line from another core. Until then the job cannot end.
  // With await_claims(): one of the two sides sees the other. Notifying where nobody sleeps is not free: the standard
  // library asks the system as soon as anybody in the process sleeps on whatever it files under the same number.
  if (done > 0 && claims_done_.fetch_add(done, std::memory_order_seq_cst) + done == all &&
      caller_sleeps_.load(std::memory_order_seq_cst)) {
    claims_done_.notify_one();
  }
  return done;
}

/// Takes over claims of another thread's share if that thread will not be done soon. What it works on is in its core's
/// cache, so a short wait costs less than the work in another place.
void ThreadPool::help(std::size_t share, std::chrono::nanoseconds time_a_claim, std::chrono::nanoseconds patience) {
  const std::atomic<std::uint64_t>& word = tickets_[share].word;
  std::uint64_t seen = word.load(std::memory_order_acquire);
  const std::uint64_t generation = generation_of(seen);
  auto since = Clock::now();
  for (;;) {
    const std::uint64_t ticket = word.load(std::memory_order_acquire);
    const std::uint32_t claims = job_.claims.load(std::memory_order_acquire);
    const std::uint64_t left_behind = first_claim(claims, share) + (ticket & claim_mask);
    const std::uint64_t end = first_claim(claims, share + 1);
    if (generation_of(ticket) != generation || left_behind >= end) return;
    const auto now = Clock::now();
    if (ticket != seen) {
      seen = ticket;
      since = now;
    }
    if (now - since >= patience || time_a_claim * (end - left_behind) > patience) {
      drain_share(share, 1);
      continue;
    }
    // Looking takes the line from the core that works: not too often.
    for (int i = 0; i < 16; ++i) relax();
  }
}

/// Shares are runs of neighbouring claims.
std::uint64_t ThreadPool::first_claim(std::uint32_t claims, std::size_t share) const {
  return claims * share / tickets_.size();
}

void ThreadPool::await_claims() {
  const std::uint32_t claims = job_.claims.load(std::memory_order_relaxed);
  if (spin_until([&] { return claims_done_.load(std::memory_order_acquire) == claims; })) return;
  caller_sleeps_.store(true, std::memory_order_seq_cst);
  for (std::uint32_t done = 0; (done = claims_done_.load(std::memory_order_seq_cst)) != claims;) {
    claims_done_.wait(done, std::memory_order_acquire);
  }
  caller_sleeps_.store(false, std::memory_order_relaxed);
}

void ThreadPool::work(std::size_t thread) {
  const FlushDenormals flush;
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::uint64_t generation = generation_of(tickets_[thread].word.load(std::memory_order_acquire));
    drain(thread, patience_);
    park(thread, generation);
  }
}

/// Returns when there may be a job of another generation, or the pool is stopping.
void ThreadPool::park(std::size_t thread, std::uint64_t generation) {
  const std::atomic<std::uint64_t>& word = tickets_[thread].word;
  const auto over = [&] {
    return generation_of(word.load(std::memory_order_seq_cst)) != generation || stopping_.load();
  };
  if (spin_until(over)) return;
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  const std::uint32_t seen = wake_ups_.load(std::memory_order_seq_cst);
  if (!over()) wake_ups_.wait(seen, std::memory_order_seq_cst);
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
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
