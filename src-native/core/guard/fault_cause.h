// What a fault is due to: the extent it lies in, what the kernel says stands there, and
// the access, put together.
//
// With the page replacement lock held. Async-signal-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/extent/extent.h"
#include "core/extent/vma.h"
#include "core/guard/fault_fixup.h"
#include "core/replacement/replacement.h"

namespace memmap::core {

// What a fault is due to.
enum class Cause : uint8_t {
  kNotOurs,
  kNoLonger,  // replaced or protected by another thread meanwhile
  kBroken,
  kPoolEmpty,
  kPastEnd,
  kReadOnly,
  kNoAccess,
  kGuardPage,  // MADV_GUARD_INSTALL, Linux 6.13
  kClosed,
};

// The faulting memory: what we know of it, and what the kernel says is there.
struct FaultContext {
  const Fault& fault;
  Extent* extent;
  Vma vma;
  size_t unit;     // bytes in a page
  uintptr_t page;  // the one that faulted
  int file;        // a descriptor that may be the file's, or -1

  // The part of the kernel's mapping that is the extent's.
  Span common() const {
    return {std::max(vma.start, extent->start), std::min(vma.end, extent->end)};
  }
  uint64_t file_offset(uintptr_t address) const {
    return extent->backing.offset + (address - extent->origin);
  }
};

// Fills in the context, except for the file.
Cause look_at(FaultContext& context, VmaText& text);

}  // namespace memmap::core
