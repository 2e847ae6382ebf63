#include "sys/futex.h"

#include <linux/futex.h>
#include <unistd.h>

namespace memmap::sys {

// Without FUTEX_PRIVATE_FLAG the sleepers may be in several processes.

Errno futex_wait(const void* word, uint32_t expected, const timespec* timeout) {
  return errno_of(::syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout, nullptr, 0));
}

Result<int> futex_wake(const void* word, int count) {
  long woken = ::syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0);
  if (woken == -1) return Errno::last();
  return static_cast<int>(woken);
}

Result<int> futex_waitv(FutexWaitv* waiters, unsigned count, const timespec* deadline) {
  long index = ::syscall(SYS_futex_waitv, waiters, count, 0U, deadline, CLOCK_MONOTONIC);
  if (index == -1) return Errno::last();
  return static_cast<int>(index);
}

Errno futex_wait_private(const void* word, uint32_t expected) {
  return errno_of(::syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
                            static_cast<timespec*>(nullptr), nullptr, 0));
}

Result<int> futex_wake_private(const void* word, int count) {
  long woken = ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
  if (woken == -1) return Errno::last();
  return static_cast<int>(woken);
}

}  // namespace memmap::sys
