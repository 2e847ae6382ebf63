// One function per system call on signals, and what a signal handler tells of a fault.
#pragma once

#include <signal.h>

#include <cstdint>

#include "sys/result.h"

namespace memmap::sys {

Errno sigaction(int signal, const struct sigaction* action, struct sigaction* old);
// Sends `info` as it is; within this process any si_code is allowed.
Errno rt_tgsigqueueinfo(pid_t process, pid_t thread, int signal, const siginfo_t& info);
pid_t gettid();
void sched_yield();

// A set of signals as the kernel has it: bit n - 1 stands for signal n. Small, where
// sigset_t takes 128 bytes of a handler's stack.
using SignalMask = uint64_t;
SignalMask mask_of(const sigset_t& set);
// What was blocked where the signal came.
SignalMask interrupted_mask(const void* context);
Errno rt_sigprocmask(int how, const SignalMask* set, SignalMask* old);

// What kind of access faulted, from the registers the kernel saved.
enum class Access : uint8_t { kUnknown, kRead, kWrite };
Access fault_access(const void* context);
// Whether it was the fetch of an instruction, at `address`.
bool fault_is_fetch(const void* context, const void* address);

// Whether 8 bytes at `address`, a multiple of 8, can be read: asks the kernel, which
// answers EFAULT where a load would raise a signal. Brings the page in if that can be
// done.
bool readable(const void* address);
// Likewise, whether the aligned 4 bytes that hold `address` can be written. They keep
// their value.
bool writable(const void* address);

}  // namespace memmap::sys
