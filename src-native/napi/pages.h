// Targets whose bytes a call touches.
#pragma once

#include "core/extent/extent.h"
#include "core/replacement/page_replacement_lock.h"
#include "napi/convert.h"

namespace memmap::napi {

// Whether something is mapped at all of the addresses, or closed: in a reservation a
// touch of what has not been placed is a fault that the guard leaves alone.
inline bool has_pages(const char* address, size_t length) {
  const core::PageReplacementLock lock;
  const auto start = reinterpret_cast<uintptr_t>(address);
  return core::all_in_extents(start, start + length);
}

// As target(), but not ours where nothing has been placed.
inline Target pages(const Napi::CallbackInfo& info) {
  Target at = target(info);
  return at.range != nullptr && has_pages(at.address, at.length) ? at : Target{};
}

}  // namespace memmap::napi
