#include "kernel.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstring>
#include <functional>
#include <utility>

#include "sys/abi.h"
#include "witness.h"

namespace memmap::test {
namespace {

struct Refusal {
  bool active;
  Call call;
  unsigned flags;
  int error;
  int after;
  int times;
};

Refusal refusal = {};
// Several threads may be refused something, where each call is.
std::atomic<int> refused = 0;
unsigned ignored = 0;

struct Interruption {
  Call call;
  unsigned flags;
  std::function<void()> act;
  std::atomic<int> after;
};

Interruption interruption = {};
std::atomic<bool> interrupts = false;  // the rest is valid, and it has not happened yet

void interrupt(Call call, unsigned flags) {
  if (!interrupts || interruption.call != call) return;
  if ((flags & interruption.flags) != interruption.flags) return;
  if (interruption.after.fetch_sub(1) > 0) return;
  const int saved = errno;
  if (interrupts.exchange(false)) interruption.act();
  errno = saved;
}

bool claims = false;

struct Pinned {
  const void* page;
  int met;
  unsigned long moved;
};

Pinned pinned = {};

bool moves_one = false;
std::function<void()> on_several;

uintptr_t end_of(const void* address, size_t length) {
  return reinterpret_cast<uintptr_t>(address) + length;
}

// The number of pages that a call to move_pages(2) does not come to.
unsigned long held_up(unsigned long count, void* const* pages, const int* nodes) {
  if (pinned.page == nullptr || nodes == nullptr) return 0;
  for (unsigned long i = 0; i < count; i++) {
    if (pages[i] != pinned.page) continue;
    pinned.met++;
    return count - i;
  }
  pinned.moved += count;
  return 0;
}

bool refuses(Call call, unsigned flags) {
  if (!refusal.active || refusal.call != call) return false;
  if ((flags & refusal.flags) != refusal.flags) return false;
  if (refusal.after > 0) {
    refusal.after--;
    return false;
  }
  if (refused >= refusal.times) return false;
  refused++;
  errno = refusal.error;
  return true;
}

}  // namespace

Refuse::Refuse(Call call, unsigned flags, int error, int after, int times) {
  refusal = {true, call, flags, error, after, times};
  memmap::test::refused = 0;
}
Refuse::~Refuse() { refusal.active = false; }
int Refuse::refused() const { return memmap::test::refused; }

Meanwhile::Meanwhile(Call call, unsigned flags, std::function<void()> act, int after) {
  interruption.call = call;
  interruption.flags = flags;
  interruption.act = std::move(act);
  interruption.after = after;
  interrupts = true;
}
Meanwhile::~Meanwhile() { interrupts = false; }
bool Meanwhile::happened() const { return !interrupts; }

MoveOne::MoveOne(std::function<void()> act) {
  on_several = std::move(act);
  moves_one = true;
}
MoveOne::~MoveOne() { moves_one = false; }
bool MoveOne::happened() const { return on_several == nullptr; }

Pin::Pin(const void* page) { pinned = {page, 0, 0}; }
Pin::~Pin() { pinned.page = nullptr; }
int Pin::met() const { return pinned.met; }
unsigned long Pin::moved() const { return pinned.moved; }

Claim::Claim() { claims = true; }
Claim::~Claim() { claims = false; }

Ignore::Ignore(unsigned flags) { ignored = flags; }
Ignore::~Ignore() { ignored = 0; }

}  // namespace memmap::test

using memmap::test::Call;
using memmap::test::interrupt;
using memmap::test::refuses;

// The names are those of the linker's --wrap.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {

void* __real_mmap(void* address, size_t length, int prot, int flags, int fd,
                  off_t offset);
void* __real_mremap(void* address, size_t old_length, size_t length, int flags, void* to);
int __real_mprotect(void* address, size_t length, int prot);
int __real_mincore(void* address, size_t length, unsigned char* vec);
int __real_madvise(void* address, size_t length, int advice);
int __real_fallocate(int fd, int mode, off_t offset, off_t length);
int __real_fcntl(int fd, int command, long argument);
int __real_open(const char* path, int flags, mode_t mode);
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
int __real_ioctl(int fd, unsigned long command, void* argument);
ssize_t __real_process_vm_readv(pid_t pid, const iovec* local, unsigned long local_count,
                                const iovec* remote, unsigned long remote_count,
                                unsigned long flags);

void* __wrap_mmap(void* address, size_t length, int prot, int flags, int fd,
                  off_t offset) {
  auto bits = static_cast<unsigned>(flags);
  if (refuses(Call::kMmap, bits)) {
    const int error = errno;
    if ((flags & MAP_FIXED) != 0 && error == EFAULT) ::munmap(address, length);
    errno = error;
    return MAP_FAILED;
  }
  void* result = __real_mmap(address, length, prot,
                             static_cast<int>(bits & ~memmap::test::ignored), fd, offset);
  interrupt(Call::kMmap, bits);
  return result;
}

void* __wrap_mremap(void* address, size_t old_length, size_t length, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  void* to = va_arg(arguments, void*);  // sys::mremap always passes it
  va_end(arguments);
  if (refuses(Call::kMremap, static_cast<unsigned>(flags))) {
    const int error = errno;
    if ((flags & MREMAP_FIXED) != 0 && error == EFAULT) ::munmap(to, length);
    errno = error;
    return MAP_FAILED;
  }
  if (memmap::test::moves_one && (flags & MREMAP_FIXED) != 0 &&
      memmap::test::vma_at(address).end < memmap::test::end_of(address, old_length)) {
    ::munmap(to, length);
    if (auto act = std::exchange(memmap::test::on_several, nullptr)) act();
    errno = EFAULT;
    return MAP_FAILED;
  }
  void* result = __real_mremap(address, old_length, length, flags, to);
  interrupt(Call::kMremap, static_cast<unsigned>(flags));
  return result;
}

int __wrap_mprotect(void* address, size_t length, int prot) {
  if (refuses(Call::kMprotect, static_cast<unsigned>(prot))) return -1;
  const int result = __real_mprotect(address, length, prot);
  interrupt(Call::kMprotect, static_cast<unsigned>(prot));
  return result;
}

int __wrap_mincore(void* address, size_t length, unsigned char* vec) {
  if (refuses(Call::kMincore, 0)) return -1;
  const int result = __real_mincore(address, length, vec);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  if (memmap::test::claims) std::memset(vec, 1, (length + page - 1) / page);
  return result;
}

int __wrap_madvise(void* address, size_t length, int advice) {
  if (refuses(Call::kMadvise, static_cast<unsigned>(advice))) return -1;
  return __real_madvise(address, length, advice);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t length) {
  if (refuses(Call::kFallocate, static_cast<unsigned>(mode))) return -1;
  return __real_fallocate(fd, mode, offset, length);
}

int __wrap_fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  long argument = va_arg(arguments, long);
  va_end(arguments);
  if (refuses(Call::kFcntl, static_cast<unsigned>(command))) return -1;
  return __real_fcntl(fd, command, argument);
}

int __wrap_open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = va_arg(arguments, mode_t);  // sys::open always passes it
  va_end(arguments);
  if (refuses(Call::kOpen, static_cast<unsigned>(flags))) return -1;
  const int result = __real_open(path, flags, mode);
  interrupt(Call::kOpen, static_cast<unsigned>(flags));
  return result;
}

// Takes more arguments than its callers may have passed, as the real one does.
__attribute__((no_sanitize_address)) long __wrap_syscall(long number, ...) {
  va_list arguments;
  va_start(arguments, number);
  long values[6];
  for (long& value : values) value = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_memfd_create &&
      refuses(Call::kMemfdCreate, static_cast<unsigned>(values[1]))) {
    return -1;
  }
  if (number == SYS_memfd_secret &&
      refuses(Call::kMemfdSecret, static_cast<unsigned>(values[0]))) {
    return -1;
  }
  if (number == SYS_move_pages) {
    if (refuses(Call::kMovePages, static_cast<unsigned>(values[5]))) return -1;
    const unsigned long left = memmap::test::held_up(
        static_cast<unsigned long>(values[1]), reinterpret_cast<void**>(values[2]),
        reinterpret_cast<const int*>(values[3]));
    if (left != 0) return static_cast<long>(left);
  }
  if (number == SYS_cachestat && refuses(Call::kCachestat, 0)) return -1;
  if (number == SYS_futex_waitv && refuses(Call::kFutexWaitv, 0)) return -1;
  if (number == SYS_io_uring_enter && refuses(Call::kIoUringEnter, 0)) return -1;
  const long result = __real_syscall(number, values[0], values[1], values[2], values[3],
                                     values[4], values[5]);
  if (number == SYS_rt_sigprocmask) interrupt(Call::kSigprocmask, 0);
  return result;
}

int __wrap_ioctl(int fd, unsigned long command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (refuses(Call::kIoctl, static_cast<unsigned>(command))) return -1;
  const int result = __real_ioctl(fd, command, argument);
  interrupt(Call::kIoctl, static_cast<unsigned>(command));
  return result;
}

ssize_t __wrap_process_vm_readv(pid_t pid, const iovec* local, unsigned long local_count,
                                const iovec* remote, unsigned long remote_count,
                                unsigned long flags) {
  if (refuses(Call::kProcessVmReadv, 0)) return -1;
  return __real_process_vm_readv(pid, local, local_count, remote, remote_count, flags);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)
