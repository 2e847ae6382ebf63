#include "core/extent/closed_pages.h"

#include <atomic>
#include <cstring>
#include <utility>

#include "sys/abi.h"
#include "sys/file.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

constexpr char kName[] = "memmap-closed";
constexpr char kPath[] = "/memfd:memmap-closed";

std::atomic<int> the_fd = -1;
std::atomic<uint64_t> the_inode = 0;

}  // namespace

sys::Errno prepare_closed_pages() {
  if (the_fd.load(std::memory_order_relaxed) >= 0) return {};
  sys::Result<sys::UniqueFd> fd = sys::memfd_create(kName, MFD_CLOEXEC);
  if (!fd) return fd.error();
  struct stat status = {};
  if (sys::Errno error = sys::fstat(fd->get(), &status); error.failed()) return error;
  the_inode.store(status.st_ino, std::memory_order_relaxed);
  the_fd.store(fd->release(), std::memory_order_release);
  return {};
}

sys::Errno place_closed_pages(char* address, size_t length) {
  const int fd = the_fd.load(std::memory_order_acquire);
  if (fd < 0) return {ENOSYS};
  constexpr int kFlags = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED;
  const auto offset = static_cast<int64_t>(reinterpret_cast<uintptr_t>(address));
  sys::Result<void*> placed = sys::mmap(address, length, PROT_NONE, kFlags, fd, offset);
  return placed ? sys::Errno{} : placed.error();
}

bool is_closed(const Vma& vma) {
  return vma.inode != 0 && vma.inode == the_inode.load(std::memory_order_relaxed) &&
         vma.offset == vma.start && std::strncmp(vma.path, kPath, sizeof kPath - 1) == 0;
}

}  // namespace memmap::core
