#include "core/extent/closed_pages.h"

#include <atomic>
#include <utility>

#include "sys/abi.h"
#include "sys/file.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

constexpr char kName[] = "memmap-closed";

std::atomic<int> the_fd = -1;

}  // namespace

sys::Errno prepare_closed_pages() {
  if (the_fd.load(std::memory_order_relaxed) >= 0) return {};
  sys::Result<sys::UniqueFd> fd = sys::memfd_create(kName, MFD_CLOEXEC);
  if (!fd) return fd.error();
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
    // Somebody has closed our descriptor, and the number may be of what cannot be mapped.
    const int error = placed.error().value;
    const bool ours = error == ENOMEM || error == EAGAIN || error == EPERM;
    if (ours || again) return placed.error();
    the_fd.store(-1, std::memory_order_relaxed);
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
