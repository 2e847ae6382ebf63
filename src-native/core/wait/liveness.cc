#include "core/wait/liveness.h"

#include <fcntl.h>

#include <mutex>

#include "sys/file.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;
using sys::UniqueFd;

// Part of the format: docs/abi.md.
constexpr int64_t kFirstByte = int64_t{1} << 40;

}  // namespace

Result<UniqueFd> open_liveness_file(const char* path, uint64_t inode) {
  Result<UniqueFd> file = sys::open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
  if (!file) return file;
  struct stat status = {};
  if (Errno error = sys::fstat(file->get(), &status); error.failed()) return error;
  // The inode alone: btrfs and overlayfs show another device in the maps than in stat(2).
  if (!S_ISREG(status.st_mode) || status.st_ino != inode) return Errno{ENOENT};
  return file;
}

Result<int> local_liveness_file() {
  static std::mutex mutex;
  static int memfd = -1;  // for as long as the process lives
  std::lock_guard lock(mutex);
  if (memfd < 0) {
    Result<UniqueFd> fd = sys::memfd_create("memmap-witness", MFD_CLOEXEC);
    if (!fd) return fd.error();
    memfd = fd->release();
  }
  return memfd;
}

Errno claim_id(int fd, uint32_t id) {
  return sys::ofd_setlk(fd, F_WRLCK, kFirstByte + id, 1);
}

Result<bool> is_alive(int fd, uint32_t id) {
  Result<short> type = sys::ofd_getlk(fd, kFirstByte + id, 1);
  if (!type) return type.error();
  return *type != F_UNLCK;
}

}  // namespace memmap::core
