#include "core/extent/closed_pages.h"

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "sys/abi.h"
#include "sys/file.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

std::atomic<int> the_fd = -1;
std::atomic<uint64_t> the_inode = 0;  // of the_fd's file; stored before it

// Whether the number is our file's still: somebody may have closed it.
bool is_still_ours(int fd) {
  struct stat facts = {};
  return !sys::fstat(fd, &facts).failed() &&
         facts.st_ino == the_inode.load(std::memory_order_relaxed);
}

}  // namespace

sys::Errno prepare_closed_pages() {
  static std::mutex& mutex = *new std::mutex;
  const std::lock_guard lock(mutex);
  if (the_fd.load(std::memory_order_relaxed) >= 0) return {};
  sys::Result<sys::UniqueFd> fd = sys::memfd_create(kClosedPagesName, MFD_CLOEXEC);
  if (!fd) return fd.error();
  struct stat facts = {};
  if (sys::Errno error = sys::fstat(fd->get(), &facts); error.failed()) return error;
  the_inode.store(facts.st_ino, std::memory_order_relaxed);
  the_fd.store(fd->release(), std::memory_order_release);
  return {};
}

sys::Errno place_closed_pages(char* address, size_t length) {
  constexpr int kFlags = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED;
  const auto offset = static_cast<int64_t>(reinterpret_cast<uintptr_t>(address));
  for (bool again = false;; again = true) {
    const int fd = the_fd.load(std::memory_order_acquire);
    if (fd < 0) return {ENOSYS};
    sys::Result<void*> placed = sys::mmap(address, length, PROT_NONE, kFlags, fd, offset);
    if (placed) return {};
    if (again || is_still_ours(fd)) return placed.error();
    int lost = fd;  // unless another thread has replaced it
    the_fd.compare_exchange_strong(lost, -1);
    if (sys::Errno failed = prepare_closed_pages(); failed.failed()) return failed;
  }
}

bool is_closed(const Vma& vma) {
  // Nobody else maps a file at the offset of the address. Of which file it is does not
  // matter: somebody may have closed our descriptor, and the number be another's.
  return vma.inode != 0 && vma.offset == vma.start && !vma.shared && !vma.readable &&
         !vma.writable && !vma.executable;
}

}  // namespace memmap::core
