#include "sys/file.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstring>

namespace memmap::sys {
namespace {

Result<UniqueFd> fd_of(long result) {
  if (result == -1) return Errno::last();
  return UniqueFd(static_cast<int>(result));
}

Result<int> int_of(int result) {
  if (result == -1) return Errno::last();
  return result;
}

// The path of a file in /dev/shm, or the errno that shm_open(3) has for the name.
struct SharedMemoryPath {
  char path[PATH_MAX];
  Errno error;

  explicit SharedMemoryPath(const char* name) : path() {
    while (*name == '/') ++name;
    const size_t length = std::strlen(name);
    const bool folder = std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
    if (length == 0 || folder || std::strchr(name, '/') != nullptr) {
      error = {EINVAL};
    } else if (length > NAME_MAX) {
      error = {ENAMETOOLONG};
    } else {
      std::snprintf(path, sizeof path, "%s/%s", kSharedMemoryFolder, name);
    }
  }
};

}  // namespace

Result<UniqueFd> open(const char* path, int flags, mode_t mode) {
  return fd_of(::open(path, flags, mode));
}

Errno unlink(const char* path) { return errno_of(::unlink(path)); }

Errno linkat(int fd, const char* path) {
  char open_file[32];
  std::snprintf(open_file, sizeof open_file, "/proc/self/fd/%d", fd);
  return errno_of(::linkat(AT_FDCWD, open_file, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
}

Errno fchmod(int fd, mode_t mode) { return errno_of(::fchmod(fd, mode)); }

Result<UniqueFd> dup(int fd) { return fd_of(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

Errno stat(const char* path, struct stat* facts) { return errno_of(::stat(path, facts)); }

Errno fstat(int fd, struct stat* facts) { return errno_of(::fstat(fd, facts)); }

Errno statx(int fd, unsigned mask, struct statx* facts) {
  return errno_of(::statx(fd, "", AT_EMPTY_PATH, mask, facts));
}

uint64_t mount_of(const struct statx& facts) {
  // stx_mnt_id, which older headers leave out.
  constexpr size_t kOffset = 144;
  static_assert(offsetof(struct statx, stx_dev_minor) == kOffset - sizeof(uint32_t));
  uint64_t number = 0;
  std::memcpy(&number, reinterpret_cast<const char*>(&facts) + kOffset, sizeof number);
  return number;
}

Errno fstatfs(int fd, struct statfs* facts) { return errno_of(::fstatfs(fd, facts)); }

Errno ftruncate(int fd, int64_t length) { return errno_of(::ftruncate(fd, length)); }

Errno fsync(int fd) { return errno_of(::fsync(fd)); }

Errno fdatasync(int fd) { return errno_of(::fdatasync(fd)); }

Errno fallocate(int fd, int mode, int64_t offset, int64_t length) {
  return errno_of(::fallocate(fd, mode, offset, length));
}

Errno sync_file_range(int fd, int64_t offset, int64_t length) {
  return errno_of(::sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE));
}

Errno posix_fadvise(int fd, int64_t offset, int64_t length, int advice) {
  return {::posix_fadvise(fd, offset, length, advice)};  // returns it, sets no errno
}

Result<int64_t> lseek(int fd, int64_t offset, int whence) {
  const off_t at = ::lseek(fd, offset, whence);
  if (at == -1) return Errno::last();
  return at;
}

Result<ssize_t> pread(int fd, void* bytes, size_t length, int64_t offset) {
  ssize_t got = ::pread(fd, bytes, length, offset);
  if (got == -1) return Errno::last();
  return got;
}

Result<ssize_t> pwrite(int fd, const void* bytes, size_t length, int64_t offset) {
  ssize_t written = ::pwrite(fd, bytes, length, offset);
  if (written == -1) return Errno::last();
  return written;
}

Errno cachestat(int fd, const CachestatRange* range, Cachestat* counts, unsigned flags) {
  return errno_of(::syscall(SYS_cachestat, fd, range, counts, flags));
}

static struct flock whole(short type, int64_t start, int64_t length) {
  struct flock lock = {};  // l_pid must be 0
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

Errno ofd_setlk(int fd, short type, int64_t start, int64_t length) {
  struct flock lock = whole(type, start, length);
  return errno_of(::fcntl(fd, F_OFD_SETLK, &lock));
}

Result<short> ofd_getlk(int fd, int64_t start, int64_t length) {
  struct flock lock = whole(F_WRLCK, start, length);
  if (::fcntl(fd, F_OFD_GETLK, &lock) == -1) return Errno::last();
  return lock.l_type;
}

Errno procmap_query(int fd, ProcmapQuery& query) {
  return errno_of(::ioctl(fd, kProcmapQuery, &query));
}

Result<int> pagemap_scan(int fd, PagemapScan& scan) {
  return int_of(::ioctl(fd, kPagemapScan, &scan));
}

Result<UniqueFd> memfd_create(const char* name, unsigned flags) {
  return fd_of(::syscall(SYS_memfd_create, name, flags));
}

Result<UniqueFd> memfd_secret(unsigned flags) {
  return fd_of(::syscall(SYS_memfd_secret, flags));
}

Result<UniqueFd> shm_open(const char* name, int flags, mode_t mode) {
  const SharedMemoryPath file(name);
  if (file.error.failed()) return file.error;
  return fd_of(::open(file.path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode));
}

Errno shm_unlink(const char* name) {
  const SharedMemoryPath file(name);
  return file.error.failed() ? file.error : errno_of(::unlink(file.path));
}

Errno fcntl_add_seals(int fd, int seals) {
  return errno_of(::fcntl(fd, F_ADD_SEALS, seals));
}

Result<int> fcntl_get_seals(int fd) { return int_of(::fcntl(fd, F_GET_SEALS)); }

Result<int> fcntl_getfl(int fd) { return int_of(::fcntl(fd, F_GETFL)); }

Result<UniqueFd> pidfd_open(pid_t pid, unsigned flags) {
  return fd_of(::syscall(SYS_pidfd_open, pid, flags));
}

}  // namespace memmap::sys
