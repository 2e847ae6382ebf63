#include "core/mirror.h"

#include <sys/mman.h>

#include <memory>
#include <utility>

#include "core/guard.h"
#include "core/headroom.h"
#include "core/page.h"
#include "sys/memory.h"

namespace memmap::core {

using sys::Errno;
using sys::Result;

Result<Mapping> map_mirrored(int fd, int64_t offset, size_t length, void* over) {
  constexpr size_t kMost = SIZE_MAX / 4;
  if (length == 0 || length > kMost || offset < 0) return Errno{EINVAL};
  const auto at = reinterpret_cast<uintptr_t>(over);
  if ((length | static_cast<size_t>(offset) | at) % page_size() != 0)
    return Errno{EINVAL};

  arm_guard();
  if (!claim_mappings(3)) return Errno{ENOMEM};
  auto owner = AddressRange::Owner::kRuntime;
  if (over == nullptr) {
    constexpr int kReserve = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    Result<void*> reserved = sys::mmap(nullptr, 2 * length, PROT_NONE, kReserve, -1, 0);
    if (!reserved) return reserved.error();
    over = *reserved;
    owner = AddressRange::Owner::kMemmap;
  }
  // From here the range gives the addresses back, or leaves them to the runtime.
  auto range = AddressRange::take(over, 2 * length, owner);
  for (size_t image = 0; image < 2; ++image) {
    Result<void*> mapped =
        sys::mmap(range->begin() + image * length, length, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_FIXED, fd, offset);
    if (mapped) continue;
    // A buffer of the runtime keeps its pages: memory, if not the file's.
    if (image > 0) static_cast<void>(range->vacate(0, length));
    return mapped.error();
  }
  char* begin = range->begin();
  return Mapping(std::move(range), begin, 2 * length);
}

}  // namespace memmap::core
