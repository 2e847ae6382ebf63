// Closed pages: what stands at the addresses of a closed mapping while a view can reach
// them. Nobody has access, so the guard sees each touch; and they are pages of one empty
// memfd, each at the offset of its own address, so that neighbours merge into one mapping
// of the kernel, and nothing else in the process is taken for them.
#pragma once

#include <cstddef>

#include "core/extent/vma.h"
#include "sys/result.h"

namespace memmap::core {

// Of the memfd.
inline constexpr char kClosedPagesName[] = "memmap-closed";

// Once, before the others: what memfd_create(2) says. Without it there are no closed
// pages: see AddressRange::vacate.
sys::Errno prepare_closed_pages();

// Replaces [address, address + length), whole pages, in one step. ENOSYS without the
// memfd.
sys::Errno place_closed_pages(char* address, size_t length);

// Async-signal-safe.
bool is_closed(const Vma& vma);

}  // namespace memmap::core
