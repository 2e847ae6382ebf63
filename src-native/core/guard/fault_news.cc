#include "core/guard/fault_news.h"

#include <atomic>
#include <cstdint>

#include "sys/futex.h"

namespace memmap::core {
namespace {

constexpr uint32_t kNone = 0;
constexpr uint32_t kPosted = 1;

std::atomic<uint32_t> news = kNone;

}  // namespace

void post_fault_news() {
  // Release: whoever hears of a fault finds it counted.
  if (news.exchange(kPosted, std::memory_order_acq_rel) == kPosted) return;
  static_cast<void>(sys::futex_wake_private(&news, 1));
}

void wait_for_fault_news() {
  while (news.exchange(kNone, std::memory_order_acquire) == kNone) {
    static_cast<void>(sys::futex_wait_private(&news, kNone));
  }
}

}  // namespace memmap::core
