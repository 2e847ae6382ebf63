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
// Gives an open file a name: linkat(2) of what /proc/self/fd says of it.
Errno linkat(int fd, const char* path);
Errno fchmod(int fd, mode_t mode);
Result<UniqueFd> dup(int fd);  // fcntl F_DUPFD_CLOEXEC
Errno stat(const char* path, struct stat* facts);
Errno fstat(int fd, struct stat* facts);
Errno statx(int fd, unsigned mask, struct statx* facts);
// STATX_MNT_ID_UNIQUE, Linux 6.8: the number of the mount, which no other ever has.
inline constexpr unsigned kStatxMntIdUnique = 0x4000;
uint64_t mount_of(const struct statx& facts);
Errno fstatfs(int fd, struct statfs* facts);
Errno ftruncate(int fd, int64_t length);
Errno fallocate(int fd, int mode, int64_t offset, int64_t length);
Errno fsync(int fd);
Errno fdatasync(int fd);
// Starts writing what is dirty, and waits for nothing.
Errno sync_file_range(int fd, int64_t offset, int64_t length);
Errno posix_fadvise(int fd, int64_t offset, int64_t length, int advice);
// SEEK_DATA, SEEK_HOLE: where the next data or hole begins; ENXIO past the last.
Result<int64_t> lseek(int fd, int64_t offset, int whence);
Result<ssize_t> pread(int fd, void* bytes, size_t length, int64_t offset);
Result<ssize_t> pwrite(int fd, const void* bytes, size_t length, int64_t offset);
Errno cachestat(int fd, const CachestatRange* range, Cachestat* counts,
                unsigned flags);  // Linux 6.5
// fcntl F_OFD_SETLK and F_OFD_GETLK, on [start, start + length): locks of the open file
// description, which the kernel drops with its last descriptor. Linux 3.15.
Errno ofd_setlk(int fd, short type, int64_t start, int64_t length);
// The type of a lock of another description that is in the way of F_WRLCK; or F_UNLCK.
Result<short> ofd_getlk(int fd, int64_t start, int64_t length);
Errno procmap_query(int fd, ProcmapQuery& query);  // Linux 6.11
// The number of regions. Linux 6.7.
Result<int> pagemap_scan(int fd, PagemapScan& scan);
Result<UniqueFd> memfd_create(const char* name, unsigned flags);  // Linux 3.17
Result<UniqueFd> memfd_secret(unsigned flags);                    // Linux 5.14
Result<UniqueFd> pidfd_open(pid_t pid, unsigned flags);           // Linux 5.3

// shm_open(3) and shm_unlink(3): files of /dev/shm, as every C library has them. The name
// is one component, with a leading '/' or without.
inline constexpr const char* kSharedMemoryFolder = "/dev/shm";
Result<UniqueFd> shm_open(const char* name, int flags, mode_t mode);
Errno shm_unlink(const char* name);

Errno fcntl_add_seals(int fd, int seals);  // F_ADD_SEALS, Linux 3.17
Result<int> fcntl_get_seals(int fd);       // F_GET_SEALS
Result<int> fcntl_getfl(int fd);           // F_GETFL: the flags of open(2)

}  // namespace memmap::sys
