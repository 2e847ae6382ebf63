#include "core/mapping/closing.h"

#include <sys/mman.h>

#include <cerrno>

#include "core/extent/closed_pages.h"
#include "core/guard/guard.h"
#include "core/replacement/spare_mappings.h"
#include "sys/memory.h"

namespace memmap::core {

using sys::Errno;

Errno replace_by_closed(char* address, size_t length, bool& stays) {
  if (guard_enabled()) {
    Errno placed = with_spares([&] { return place_closed_pages(address, length); });
    // EAGAIN: more than may be locked, after mlockall(2).
    if (placed.value == ENOMEM || placed.value == EAGAIN) {
      // The limit of mappings. The guard knows them as closed.
      stays = true;
      static_cast<void>(sys::madvise(address, length, MADV_WIPEONFORK));
      placed = sys::mprotect(address, length, PROT_NONE);
    }
    if (placed.value == ENOMEM) return {};
    if (placed.value != ENOSYS) return placed;
  }
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  sys::Result<void*> zeros = with_spares(
      [&] { return sys::mmap(address, length, PROT_READ | PROT_WRITE, kFlags, -1, 0); });
  // Under strict overcommit writable memory is charged whatever the flags say;
  // read-only memory never is.
  if (!zeros && zeros.error().value == ENOMEM) {
    zeros = sys::mmap(address, length, PROT_READ, kFlags, -1, 0);
  }
  return zeros ? Errno{} : zeros.error();
}

}  // namespace memmap::core
