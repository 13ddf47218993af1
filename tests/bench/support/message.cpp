#include "message.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "statistics.h"

namespace lathe::bench {
namespace {

/// A word with no neighbours that another thread writes.
struct alignas(128) Word {
  std::atomic<int> value = 0;

  void wait_for(int expected) const {
    while (value.load(std::memory_order_acquire) != expected) {
    }
  }
  void send(int number) { value.store(number, std::memory_order_release); }
};

/// Two CPUs that this process may use.
std::vector<int> two_cpus() {
  cpu_set_t usable;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE && cpus.size() < 2; ++cpu) {
    if (CPU_ISSET(cpu, &usable)) cpus.push_back(cpu);
  }
  return cpus;
}

void stay_on(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  pthread_setaffinity_np(pthread_self(), sizeof only, &only);
}

}  // namespace

double message_nanoseconds() {
  using Clock = std::chrono::steady_clock;
  constexpr int batches = 21;
  constexpr int messages = 500;
  const std::vector<int> cpus = two_cpus();
  if (cpus.size() < 2) return 0;
  Word there;
  Word back;
  std::vector<double> times;
  std::jthread answering([&] {
    stay_on(cpus[1]);
    for (int number = 1; number <= batches * messages; ++number) {
      there.wait_for(number);
      back.send(number);
    }
  });
  // A thread of its own, as it stays where it is put.
  std::jthread asking([&] {
    stay_on(cpus[0]);
    for (int batch = 0; batch < batches; ++batch) {
      const auto start = Clock::now();
      for (int i = 1; i <= messages; ++i) {
        there.send(batch * messages + i);
        back.wait_for(batch * messages + i);
      }
      times.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count() / messages);
    }
  });
  asking.join();
  return median(times);
}

}  // namespace lathe::bench
