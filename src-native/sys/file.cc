#include "sys/file.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace memmap::sys {
namespace {

Result<UniqueFd> fd_of(long result) {
  if (result == -1) return Errno::last();
  return UniqueFd(static_cast<int>(result));
}

}  // namespace

Result<UniqueFd> open(const char* path, int flags, mode_t mode) {
  return fd_of(::open(path, flags, mode));
}

Errno unlink(const char* path) { return errno_of(::unlink(path)); }

Result<UniqueFd> dup(int fd) { return fd_of(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

Errno fstat(int fd, struct stat* facts) { return errno_of(::fstat(fd, facts)); }

Errno fstatfs(int fd, struct statfs* facts) { return errno_of(::fstatfs(fd, facts)); }

Errno ftruncate(int fd, int64_t length) { return errno_of(::ftruncate(fd, length)); }

Errno fallocate(int fd, int mode, int64_t offset, int64_t length) {
  return errno_of(::fallocate(fd, mode, offset, length));
}

Errno posix_fadvise(int fd, int64_t offset, int64_t length, int advice) {
  return {::posix_fadvise(fd, offset, length, advice)};  // returns it, sets no errno
}

Result<ssize_t> read(int fd, void* bytes, size_t length) {
  ssize_t got = ::read(fd, bytes, length);
  if (got == -1) return Errno::last();
  return got;
}

Result<ssize_t> pread(int fd, void* bytes, size_t length, int64_t offset) {
  ssize_t got = ::pread(fd, bytes, length, offset);
  if (got == -1) return Errno::last();
  return got;
}

Result<ssize_t> write(int fd, const void* bytes, size_t length) {
  ssize_t written = ::write(fd, bytes, length);
  if (written == -1) return Errno::last();
  return written;
}

Result<ssize_t> pwrite(int fd, const void* bytes, size_t length, int64_t offset) {
  ssize_t written = ::pwrite(fd, bytes, length, offset);
  if (written == -1) return Errno::last();
  return written;
}

Errno cachestat(int fd, const CachestatRange* range, Cachestat* counts, unsigned flags) {
  return errno_of(::syscall(SYS_cachestat, fd, range, counts, flags));
}

Errno procmap_query(int fd, ProcmapQuery& query) {
  return errno_of(::ioctl(fd, kProcmapQuery, &query));
}

Result<UniqueFd> memfd_create(const char* name, unsigned flags) {
  return fd_of(::syscall(SYS_memfd_create, name, flags));
}

Result<UniqueFd> pidfd_open(pid_t pid, unsigned flags) {
  return fd_of(::syscall(SYS_pidfd_open, pid, flags));
}

}  // namespace memmap::sys
