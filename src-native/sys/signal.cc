#include "sys/signal.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstring>

namespace memmap::sys {

Errno sigaction(int signal, const struct sigaction* action, struct sigaction* old) {
  return errno_of(::sigaction(signal, action, old));
}

Errno rt_tgsigqueueinfo(pid_t process, pid_t thread, int signal, const siginfo_t& info) {
  return errno_of(::syscall(SYS_rt_tgsigqueueinfo, process, thread, signal, &info));
}

SignalMask mask_of(const sigset_t& set) {
  SignalMask mask = 0;
  std::memcpy(&mask, &set, sizeof mask);  // the kernel's part comes first
  return mask;
}

SignalMask interrupted_mask(const void* context) {
  return mask_of(static_cast<const ucontext_t*>(context)->uc_sigmask);
}

Errno rt_sigprocmask(int how, const SignalMask* set, SignalMask* old) {
  return errno_of(::syscall(SYS_rt_sigprocmask, how, set, old, sizeof(SignalMask)));
}

void sched_yield() { static_cast<void>(::sched_yield()); }

pid_t gettid() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

Access fault_access(const void* context) {
#if defined(__x86_64__)
  // Bit 1 of the page fault error code.
  const auto* registers = &static_cast<const ucontext_t*>(context)->uc_mcontext;
  return (registers->gregs[REG_ERR] & 2) != 0 ? Access::kWrite : Access::kRead;
#elif defined(__aarch64__)
  // The exception syndrome, in a record behind the registers: bit 6 (WnR) of a data
  // abort.
  const auto* machine = &static_cast<const ucontext_t*>(context)->uc_mcontext;
  const auto* record = reinterpret_cast<const _aarch64_ctx*>(machine->__reserved);
  const auto* end =
      reinterpret_cast<const char*>(machine->__reserved) + sizeof(machine->__reserved);
  while (record->magic != 0 && record->size >= sizeof(_aarch64_ctx) &&
         reinterpret_cast<const char*>(record) + record->size <= end) {
    if (record->magic == ESR_MAGIC) {
      const auto* syndrome = reinterpret_cast<const esr_context*>(record);
      return (syndrome->esr & (1U << 6)) != 0 ? Access::kWrite : Access::kRead;
    }
    record = reinterpret_cast<const _aarch64_ctx*>(reinterpret_cast<const char*>(record) +
                                                   record->size);
  }
  return Access::kUnknown;
#else
  static_cast<void>(context);
  return Access::kUnknown;
#endif
}

bool fault_is_fetch(const void* context, const void* address) {
#if defined(__x86_64__)
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
  return static_cast<uintptr_t>(machine.gregs[REG_RIP]) ==
         reinterpret_cast<uintptr_t>(address);
#elif defined(__aarch64__)
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
  return machine.pc == reinterpret_cast<uintptr_t>(address);
#else
  static_cast<void>(context);
  static_cast<void>(address);
  return false;
#endif
}

bool readable(const void* address) {
  // The kernel copies the new signal mask before it looks at `how`: EINVAL means it
  // could.
  constexpr int kNoSuchHow = -1;
  constexpr size_t kMaskBytes = 8;
  long result = ::syscall(SYS_rt_sigprocmask, kNoSuchHow, address, nullptr, kMaskBytes);
  return result != -1 || Errno::last().value != EFAULT;
}

bool writable(const void* address) {
  // Has the kernel OR the word with 0, and wake nobody who sleeps on another.
  const uint32_t nobody = 0;
  const auto word = reinterpret_cast<uintptr_t>(address) & ~uintptr_t{3};
  constexpr int kOrWithZero = FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_LT, -2048);
  long result = ::syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0,
                          word, kOrWithZero);
  return result != -1 || Errno::last().value != EFAULT;
}

}  // namespace memmap::sys
