#include "core/mapping/scratch_pages.h"

#include <sys/mman.h>

#include "core/replacement/replacement.h"
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
  const auto start = reinterpret_cast<uintptr_t>(address()) + at;
  bool emptied = false;  // the pages stay ours then, too
  sys::Result<void*> mapped =
      replace_by_mapping({start, start + length}, prot, flags, fd, offset, emptied);
  return mapped ? sys::Errno{} : mapped.error();
}

ScratchPages::~ScratchPages() {
  if (address_ != nullptr) static_cast<void>(sys::munmap(address_, length_));
}

}  // namespace memmap::core
