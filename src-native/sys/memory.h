// One function per system call on memory: its name, its argument order, no policy.
// https://man7.org/linux/man-pages/man2/mmap.2.html and its neighbours.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "sys/result.h"

namespace memmap::sys {

Result<void*> mmap(void* address, size_t length, int prot, int flags, int fd,
                   int64_t offset);
Errno munmap(void* address, size_t length);
Errno mprotect(void* address, size_t length, int prot);
Errno msync(void* address, size_t length, int flags);
Errno madvise(void* address, size_t length, int advice);
// `new_address` counts only with MREMAP_FIXED or MREMAP_DONTUNMAP (Linux 5.7).
Result<void*> mremap(void* old_address, size_t old_length, size_t new_length, int flags,
                     void* new_address = nullptr);
// `vec` has one byte a page; bit 0 says resident.
Errno mincore(void* address, size_t length, unsigned char* vec);
Errno mlock(const void* address, size_t length);
Errno mlock2(const void* address, size_t length, unsigned flags);  // Linux 4.4
Errno munlock(const void* address, size_t length);
Errno mlockall(int flags);
Errno munlockall();
Errno mseal(void* address, size_t length, unsigned long flags);  // Linux 6.10
// Linux 5.10. The number of bytes advised.
Result<ssize_t> process_madvise(int pidfd, const iovec* ranges, size_t count, int advice,
                                unsigned flags);

// Between this process and `pid`, its own too: what a load or store could not reach is
// EFAULT or a short count, never a signal. Linux 3.2.
Result<ssize_t> process_vm_readv(pid_t pid, const iovec& local, const iovec& remote);
Result<ssize_t> process_vm_writev(pid_t pid, const iovec& local, const iovec& remote);

}  // namespace memmap::sys
