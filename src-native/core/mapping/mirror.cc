#include "core/mapping/mirror.h"

#include <sys/mman.h>

#include <memory>
#include <utility>

#include "core/guard/guard.h"
#include "core/mapping/scratch_pages.h"
#include "core/page.h"
#include "core/replacement/headroom.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/replacement.h"
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

  if (Errno error = arm_guard(); error.failed()) return error;
  if (!claim_mappings(3)) return Errno{ENOMEM};
  constexpr int kFlags = MAP_SHARED | MAP_FIXED;
  Result<Backing> backing = backing_of(fd, kFlags, offset);
  if (!backing) return backing.error();
  // The kernel rounds the length up to whole huge pages: over what lies behind.
  if ((length | static_cast<size_t>(offset) | at) % backing->unit != 0)
    return Errno{EINVAL};
  constexpr int kReadWrite = PROT_READ | PROT_WRITE;
  // By a seal, or for want of memory that may be locked, the kernel refuses only after it
  // has unmapped what was there.
  const ScratchPages possible(length, kReadWrite, MAP_SHARED, fd, offset);
  if (possible.error().failed()) return possible.error();
  const PageReplacementLock lock;
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
  Extent extent;
  extent.prot = kReadWrite;
  extent.backing = *backing;
  extent.counts = std::make_shared<FaultCounts>();
  for (size_t image = 0; image < 2; ++image) {
    const size_t before = image * length;
    char* address = range->begin() + before;
    const auto start = reinterpret_cast<uintptr_t>(address);
    bool emptied = false;
    Result<void*> mapped = replace_by_mapping({start, start + length}, kReadWrite, kFlags,
                                              fd, offset, emptied);
    if (!mapped) {
      // A buffer of the runtime keeps its pages: memory, if not the file's.
      if (emptied) range->fill(address, length, extent);
      const size_t gone = emptied ? before + length : before;
      if (gone > 0) static_cast<void>(range->vacate(0, gone));
      if (gone == 0 && owner == AddressRange::Owner::kRuntime) range->disown();
      return mapped.error();
    }
    range->fill(address, length, extent);
  }
  char* begin = range->begin();
  return Mapping(std::move(range), begin, 2 * length);
}

}  // namespace memmap::core
