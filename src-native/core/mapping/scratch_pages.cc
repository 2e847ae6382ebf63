#include "core/mapping/scratch_pages.h"

#include <sys/mman.h>

#include "sys/memory.h"

namespace memmap::core {

ScratchPages::ScratchPages(size_t length, int prot, int flags, int fd, int64_t offset)
    : length_(length) {
  sys::Result<void*> mapped = sys::mmap(nullptr, length, prot, flags, fd, offset);
  if (mapped) {
    address_ = *mapped;
  } else {
    error_ = mapped.error();
  }
}

sys::Errno ScratchPages::show(size_t at, size_t length, int prot, int flags, int fd,
                              int64_t offset) {
  sys::Result<void*> mapped =
      sys::mmap(address() + at, length, prot, flags | MAP_FIXED, fd, offset);
  return mapped ? sys::Errno{} : mapped.error();
}

ScratchPages::~ScratchPages() {
  if (address_ != nullptr) static_cast<void>(sys::munmap(address_, length_));
}

}  // namespace memmap::core
