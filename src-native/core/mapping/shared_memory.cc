#include "core/mapping/shared_memory.h"

#include <fcntl.h>

#include <cstdio>

#include "core/mapping/file.h"
#include "core/page.h"
#include "sys/abi.h"
#include "sys/file.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;
using sys::UniqueFd;
using Step = SharedMemoryStep;

constexpr mode_t kMode = 0600;

Result<UniqueFd> open_memfd(unsigned flags) {
  Result<UniqueFd> fd = sys::memfd_create("memmap", flags | MFD_NOEXEC_SEAL);
  // Linux before 6.3.
  if (!fd && fd.error().value == EINVAL) fd = sys::memfd_create("memmap", flags);
  return fd;
}

Result<UniqueFd> create_named(const SharedMemoryRequest& request, Step& step) {
  step = Step::kOpen;
  Result<UniqueFd> fd =
      sys::open(sys::kSharedMemoryFolder, O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
  // Where /dev/shm has no files without a name: the name is there before the memory is.
  const bool named = !fd && fd.error().value == EOPNOTSUPP;
  if (named) fd = sys::shm_open(request.name, O_CREAT | O_EXCL | O_RDWR, kMode);
  if (!fd) return fd.error();
  step = Step::kGrow;
  Errno error = grow_file(fd->get(), 0, request.length);
  if (error.failed()) {
    if (named) static_cast<void>(sys::shm_unlink(request.name));
    return error;
  }
  if (named) return fd;
  step = Step::kName;
  char path[PATH_MAX];
  std::snprintf(path, sizeof path, "%s/%s", sys::kSharedMemoryFolder, request.name);
  error = sys::linkat(fd->get(), path);
  if (error.failed()) return error;
  return fd;
}

Result<UniqueFd> create_secret(const SharedMemoryRequest& request, Step& step) {
  step = Step::kOpen;
  Result<UniqueFd> fd = sys::memfd_secret(O_CLOEXEC);
  if (!fd) return fd.error();
  step = Step::kGrow;
  Errno error = sys::ftruncate(fd->get(), request.length);
  if (error.failed()) return error;
  return fd;
}

}  // namespace

Result<UniqueFd> create_shared_memory(const SharedMemoryRequest& request, Step& step) {
  if (request.name != nullptr) return create_named(request, step);
  if (request.secret) return create_secret(request, step);
  step = Step::kOpen;
  Result<UniqueFd> fd = open_memfd(request.memfd_flags);
  if (!fd) return fd.error();
  // A memfd is born open to all: another user who is sent a descriptor for reading could
  // open it again for writing.
  step = Step::kMode;
  if (Errno error = sys::fchmod(fd->get(), kMode); error.failed()) return error;
  step = Step::kStat;
  SharedMemoryFacts facts;
  if (Errno error = examine_shared_memory(fd->get(), facts); error.failed()) return error;
  int64_t length = request.length;
  if ((request.memfd_flags & MFD_HUGETLB) != 0) {
    const auto unit = static_cast<size_t>(facts.page_size);
    length = static_cast<int64_t>(round_up(static_cast<size_t>(length), unit));
  }
  step = Step::kGrow;
  if (Errno error = grow_file(fd->get(), 0, length); error.failed()) return error;
  return fd;
}

Errno examine_shared_memory(int fd, SharedMemoryFacts& facts) {
  Result<int> flags = sys::fcntl_getfl(fd);
  if (!flags) return flags.error();
  struct statfs system = {};
  if (Errno error = sys::fstatfs(fd, &system); error.failed()) return error;
  // Files that know no seals have none.
  Result<int> seals = sys::fcntl_get_seals(fd);
  struct stat status = {};
  if (Errno error = sys::fstat(fd, &status); error.failed()) return error;

  const auto type = static_cast<uint64_t>(system.f_type);
  facts.secret = type == SECRETMEM_MAGIC;
  const bool mapped = (*flags & O_PATH) == 0 && (*flags & O_ACCMODE) != O_WRONLY &&
                      S_ISREG(status.st_mode);
  facts.memory =
      mapped && (facts.secret || type == TMPFS_MAGIC || type == HUGETLBFS_MAGIC);
  facts.writable = (*flags & O_ACCMODE) == O_RDWR;
  facts.length = status.st_size;
  facts.page_size = type == HUGETLBFS_MAGIC ? static_cast<int64_t>(system.f_bsize)
                                            : static_cast<int64_t>(page_size());
  facts.seals = seals ? *seals : 0;
  return {};
}

}  // namespace memmap::core
