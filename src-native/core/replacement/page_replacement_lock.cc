#include "core/replacement/page_replacement_lock.h"

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "sys/futex.h"

namespace memmap::core {
namespace {

// 0: free; 1: held; 2: held, and somebody sleeps. After Drepper, "Futexes are tricky".
std::atomic<uint32_t> word = 0;
// Only its holder writes and compares it with itself: others never see their own name.
std::atomic<pthread_t> owner = {};
// Objects of the holder. The holder's.
uint32_t depth = 0;

}  // namespace

bool PageReplacementLock::enter(bool again) {
  const pthread_t self = ::pthread_self();
  if (owner.load(std::memory_order_relaxed) == self) {
    if (again) depth += 1;
    return again;
  }
  uint32_t seen = 0;
  if (!word.compare_exchange_strong(seen, 1, std::memory_order_acquire)) {
    if (seen != 2) seen = word.exchange(2, std::memory_order_acquire);
    while (seen != 0) {
      static_cast<void>(sys::futex_wait(&word, 2, nullptr));
      seen = word.exchange(2, std::memory_order_acquire);
    }
  }
  owner.store(self, std::memory_order_relaxed);
  depth = 1;
  return true;
}

void PageReplacementLock::leave() {
  if (!std::exchange(held_, false)) return;
  depth -= 1;
  if (depth > 0) return;
  owner.store({}, std::memory_order_relaxed);
  // Pairs with the acquires in enter.
  if (word.exchange(0, std::memory_order_release) == 2) {
    static_cast<void>(sys::futex_wake(&word, 1));
  }
}

}  // namespace memmap::core
