// One function per system call on files: its name, its argument order, no policy.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include <cstddef>
#include <cstdint>

#include "sys/abi.h"
#include "sys/fd.h"
#include "sys/result.h"

namespace memmap::sys {

Result<UniqueFd> open(const char* path, int flags, mode_t mode);
Errno unlink(const char* path);
Result<UniqueFd> dup(int fd);  // fcntl F_DUPFD_CLOEXEC
Errno fstat(int fd, struct stat* facts);
Errno fstatfs(int fd, struct statfs* facts);
Errno ftruncate(int fd, int64_t length);
Errno fallocate(int fd, int mode, int64_t offset, int64_t length);
Errno posix_fadvise(int fd, int64_t offset, int64_t length, int advice);
Result<ssize_t> read(int fd, void* bytes, size_t length);
Result<ssize_t> pread(int fd, void* bytes, size_t length, int64_t offset);
Result<ssize_t> write(int fd, const void* bytes, size_t length);
Result<ssize_t> pwrite(int fd, const void* bytes, size_t length, int64_t offset);
Errno cachestat(int fd, const CachestatRange* range, Cachestat* counts,
                unsigned flags);                                  // Linux 6.5
Errno procmap_query(int fd, ProcmapQuery& query);                 // Linux 6.11
Result<UniqueFd> memfd_create(const char* name, unsigned flags);  // Linux 3.17
Result<UniqueFd> pidfd_open(pid_t pid, unsigned flags);           // Linux 5.3

}  // namespace memmap::sys
