#include "core/extent/advice.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "core/extent/extent.h"
#include "core/replacement/page_replacement_lock.h"
#include "sys/memory.h"

namespace memmap::core {

using sys::Errno;

Errno advise(void* address, size_t length, int advice) {
  const auto start = reinterpret_cast<uintptr_t>(address);
  {
    const PageReplacementLock lock;
    if (!all_open(start, start + length)) return {ENOMEM};
    if (advice == MADV_KEEPONFORK || advice == MADV_NORMAL) {
      const Errno error = sys::madvise(address, length, advice);
      // Part of it may have been changed.
      static_cast<void>(each_extent(start, start + length, [&](Extent& extent) {
        if (advice == MADV_KEEPONFORK) extent.kept_on_fork = true;
        keep_apart_again(extent);
        return Errno{};
      }));
      return error;
    }
  }
  return sys::madvise(address, length, advice);
}

}  // namespace memmap::core
