// The stash: pages that lie under memory without access while the guard has zeros in
// their place. They keep their contents, and go back when access is given again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/fault_slots.h"
#include "sys/result.h"

namespace memmap::core {

// Moves the pages of [start, start + length) away; empty ones of the same kind are left
// in their place. False if this kernel cannot: Linux 5.7, for files 5.13.
// Async-signal-safe.
bool put_aside(SlotIndex index, uintptr_t start, size_t length);

// Moves all that was put aside back to where it belongs, and gives the mapping at
// [address, address + length) the protection `prot`.
sys::Errno take_back(SlotIndex index, char* address, size_t length, int prot);

// Frees what was put aside.
void drop_stash(SlotIndex index);

}  // namespace memmap::core
