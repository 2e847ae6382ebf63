// Waiting on words of memory that processes share, but for the private ones. None of
// these touches the word itself: where there is no memory they answer EFAULT.
#pragma once

#include <cstdint>
#include <ctime>

#include "sys/abi.h"
#include "sys/result.h"

namespace memmap::sys {

// Sleeps while the word holds `expected`, for at most `timeout`. EAGAIN: it holds
// something else. ETIMEDOUT, EINTR.
Errno futex_wait(const void* word, uint32_t expected, const timespec* timeout);
// The number of sleepers woken.
Result<int> futex_wake(const void* word, int count);
// Sleeps on up to kFutexWaitvMax words until `deadline` of CLOCK_MONOTONIC, null: for
// ever. The index of one that was woken, or EAGAIN, ETIMEDOUT, EINTR. Linux 5.16.
Result<int> futex_waitv(FutexWaitv* waiters, unsigned count, const timespec* deadline);

// The same on a word that is this process's own. For signal handlers, too.
Errno futex_wait_private(const void* word, uint32_t expected);
Result<int> futex_wake_private(const void* word, int count);

}  // namespace memmap::sys
