#include "core/residency/residency_of.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "core/mapping/scratch_pages.h"
#include "core/page.h"
#include "sys/file.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;
using sys::UniqueFd;

Result<UniqueFd> open_regular(const char* path) {
  struct stat named = {};
  if (Errno error = sys::stat(path, &named); error.failed()) return error;
  if (!S_ISREG(named.st_mode)) return Errno{EINVAL};
  return sys::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
}

}  // namespace

// The files of /proc and /sys have none.
bool has_small_pages(long magic) {
  return magic != PROC_SUPER_MAGIC && magic != SYSFS_MAGIC && magic != HUGETLBFS_MAGIC;
}

Result<Residency> residency_of(FileQuestion& question) {
  UniqueFd opened;
  int fd = question.fd;
  if (question.path != nullptr) {
    Result<UniqueFd> found = open_regular(question.path);
    if (!found) return found.error();
    opened = std::move(*found);
    fd = opened.get();
  }
  struct stat file = {};
  if (Errno error = sys::fstat(fd, &file); error.failed()) return error;
  if (!S_ISREG(file.st_mode) || question.offset >= file.st_size) return Errno{EINVAL};
  const int64_t left = file.st_size - question.offset;
  if (question.length < 0) question.length = left;
  if (question.length == 0 || question.length > left) return Errno{EINVAL};
  struct statfs system = {};
  if (sys::fstatfs(fd, &system).failed()) return Errno{EINVAL};
  if (!has_small_pages(system.f_type)) return Errno{EINVAL};

  const auto start =
      static_cast<int64_t>(round_down(static_cast<size_t>(question.offset), page_size()));
  const auto length = static_cast<size_t>(question.offset + question.length - start);
  // Without access the kernel brings nothing in, even where a process has locked all that
  // it will map.
  constexpr int kFlags = MAP_PRIVATE | MAP_NORESERVE;
  const ScratchPages pages(length, PROT_NONE, kFlags, fd, start);
  if (pages.error().failed()) return pages.error();
  return residency(pages.address(), length, {.fd = fd, .offset = start, .fresh = true},
                   false);
}

}  // namespace memmap::core
