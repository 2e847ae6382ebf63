#include "sys/memory.h"

#include <unistd.h>

#include "sys/abi.h"

namespace memmap::sys {

Result<void*> mmap(void* address, size_t length, int prot, int flags, int fd,
                   int64_t offset) {
  void* mapped = ::mmap(address, length, prot, flags, fd, offset);
  if (mapped == MAP_FAILED) return Errno::last();
  return mapped;
}

Errno munmap(void* address, size_t length) { return errno_of(::munmap(address, length)); }

Errno mprotect(void* address, size_t length, int prot) {
  return errno_of(::mprotect(address, length, prot));
}

Errno msync(void* address, size_t length, int flags) {
  return errno_of(::msync(address, length, flags));
}

Errno madvise(void* address, size_t length, int advice) {
  return errno_of(::madvise(address, length, advice));
}

Result<void*> mremap(void* old_address, size_t old_length, size_t new_length, int flags,
                     void* new_address) {
  void* moved = ::mremap(old_address, old_length, new_length, flags, new_address);
  if (moved == MAP_FAILED) return Errno::last();
  return moved;
}

Errno mincore(void* address, size_t length, unsigned char* vec) {
  return errno_of(::mincore(address, length, vec));
}

// The sanitizers replace mlock(3) and its kin by nothing: these go to the kernel.
Errno mlock(const void* address, size_t length) {
  return errno_of(::syscall(SYS_mlock, address, length));
}

Errno mlock2(const void* address, size_t length, unsigned flags) {
  return errno_of(::syscall(SYS_mlock2, address, length, flags));
}

Errno munlock(const void* address, size_t length) {
  return errno_of(::syscall(SYS_munlock, address, length));
}

Errno mlockall(int flags) { return errno_of(::syscall(SYS_mlockall, flags)); }

Errno munlockall() { return errno_of(::syscall(SYS_munlockall)); }

Errno mseal(void* address, size_t length, unsigned long flags) {
  return errno_of(::syscall(SYS_mseal, address, length, flags));
}

Result<ssize_t> process_madvise(int pidfd, const iovec* ranges, size_t count, int advice,
                                unsigned flags) {
  long advised = ::syscall(SYS_process_madvise, pidfd, ranges, count, advice, flags);
  if (advised == -1) return Errno::last();
  return static_cast<ssize_t>(advised);
}

Result<ssize_t> process_vm_readv(pid_t pid, const iovec& local, const iovec& remote) {
  ssize_t copied = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
  if (copied == -1) return Errno::last();
  return copied;
}

Result<ssize_t> process_vm_writev(pid_t pid, const iovec& local, const iovec& remote) {
  ssize_t copied = ::process_vm_writev(pid, &local, 1, &remote, 1, 0);
  if (copied == -1) return Errno::last();
  return copied;
}

}  // namespace memmap::sys
