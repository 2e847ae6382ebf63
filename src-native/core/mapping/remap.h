// mremap(2) for memory that buffers can reach: the addresses the pages leave are never a
// hole that another thread's mapping could fall into.
#pragma once

#include <cstddef>
#include <memory>

#include "core/mapping/address_range.h"
#include "core/mapping/mapping.h"
#include "sys/result.h"

namespace memmap::core {

// Moves the pages [address, address + old_length) of `range` to new addresses,
// `new_length` long, and vacates the old ones. Linux 5.13 for files, 5.7 for anonymous
// memory; EINVAL before. On failure nothing has changed. With the page replacement lock
// held.
sys::Result<std::shared_ptr<AddressRange>> move_out(AddressRange& range, char* address,
                                                    size_t old_length, size_t new_length);

// As mremap(2) with MREMAP_MAYMOVE, and `keeps`: MREMAP_DONTUNMAP. The kernel moves one
// of its mappings at a time; pages that were advised, locked or bound in parts are
// several, and are moved one by one, to `to` if that is not null: addresses that the
// caller holds. On failure nothing has changed. With the page replacement lock held.
sys::Result<void*> move_pages(char* from, size_t old_length, size_t new_length,
                              bool keeps = false, void* to = nullptr);

// Moves the pages onto addresses of a buffer of the engine, one mapping of the kernel
// after the other where they are several; with `keeps`, their own addresses stay mapped.
// On failure nothing has changed, except that the buffer may hold zeros. With the page
// replacement lock held.
sys::Errno move_onto_engine(char* address, size_t length, bool keeps, void* to);

// The kernel moves one of its mappings at a time, and pages that are protected in parts
// are several: they are one, without access, while they are moved. `joined`: whether they
// had to be. On failure nothing has changed. With the page replacement lock held.
sys::Errno join_for_move(char* address, size_t length, bool& joined);
// Gives the pages at an address the protections that are noted.
void protect_again(char* address, size_t length);

// mremap(2) with its flags. EFAULT where nothing has been placed in a reservation, and
// where pages have been unmapped.
// MREMAP_FIXED follows the rule of MAP_FIXED: over memory of this library or over
// nothing, else EEXIST.
sys::Result<Mapping> remap(const std::shared_ptr<AddressRange>& range, char* address,
                           size_t old_length, size_t new_length, int flags,
                           void* new_address);

}  // namespace memmap::core
