// io_uring(7): requests and completions in memory that the kernel shares with us.
#pragma once

#include <linux/io_uring.h>

#include "sys/fd.h"
#include "sys/result.h"

namespace memmap::sys {

// Newer than the headers we build with. Linux 6.7; 6.6.
inline constexpr unsigned char kRingFutexWait = 51;
inline constexpr unsigned kRingNoArray = 1U << 16;

// The descriptor is close-on-exec, and readable while there are completions. EPERM:
// /proc/sys/kernel/io_uring_disabled, or a filter of system calls.
Result<UniqueFd> io_uring_setup(unsigned entries, io_uring_params& params);
// Hands over `count` requests: how many the kernel has taken.
Result<int> io_uring_enter(int fd, unsigned count);
// What the ring can do, in up to 256 operations.
Errno io_uring_probe(int fd, io_uring_probe* probe, unsigned operations);

}  // namespace memmap::sys
