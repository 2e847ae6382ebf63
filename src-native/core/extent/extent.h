// Extents: runs of addresses of ours, and what the guard must know of the pages there.
// What was mapped by one call, and is protected alike, is one extent. Where nothing has
// been placed (a reservation) there is none, and a fault there is nobody's.
//
// All functions: with the page replacement lock held. Those that a handler calls say so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/extent/backing.h"
#include "core/extent/fault_counts.h"
#include "core/extent/vma.h"
#include "core/replacement/stash.h"
#include "sys/result.h"

namespace memmap::core {

class AddressRange;

struct Extent {
  uintptr_t start = 0;
  uintptr_t end = 0;
  // Where its mapping begins: offsets of faults, and of its file, count from there.
  uintptr_t origin = 0;
  const AddressRange* range = nullptr;  // whose addresses they are
  bool engine_owned = false;  // which unmaps them without a word, and maps them again
  int prot = 0;               // as it was last asked for; -1: unknown
  Backing backing;
  int fd = -1;  // a descriptor of the file, while its mapping keeps one
  std::shared_ptr<FaultCounts> counts;

  // The advice MADV_KEEPONFORK was given, for a part of it at least.
  bool kept_on_fork = false;

  bool closed = false;
  bool stays = false;  // closed, but its pages could not be replaced
  // Private, and never to be written: without a page of its own.
  bool pristine = false;

  // What the guard has done.
  bool opened = false;      // made writable whole, though it is read-only
  bool fixed_up = false;    // some pages are not those that were mapped
  uintptr_t lost_from = 0;  // where the lost end of the file begins; 0: nothing is lost
  uintptr_t suspect = 0;    // the page inside the file that faulted last: tried once more
  bool broken = false;      // some of them are copies of what could be read
  uint32_t blocks = 0;      // pieces it has been split into
  Stash* stash = nullptr;

  size_t length() const { return end - start; }
};

// What the kernel has at an address of an extent.
enum class Standing : uint8_t {
  kForeign,   // memory that somebody else has put there
  kOriginal,  // what was mapped
  kReplaced,  // pages that the guard has put in their place
  kClosed,    // closed pages
};

// The extent at an address, or null. For a handler.
Extent* find_extent(uintptr_t address);
// Whether there are extents, open or closed, at all of the addresses: in a reservation
// there is none where nothing has been placed. With the page replacement lock held.
bool all_in_extents(uintptr_t start, uintptr_t end);
// Whether there are open ones at all of the addresses. Closed pages cannot be moved: they
// are told by their addresses.
bool all_open(uintptr_t start, uintptr_t end);
// Whether the kernel's mapping at the address is ours. For a handler.
Standing standing(Extent& extent, const Vma& vma);

// Marks the memory without a file at addresses of the engine, which is told from others'
// by where it ends: the kernel must not join it with theirs, which it does where all
// marks are alike.
void keep_apart(const Extent& extent);
// The same after an advice that may have taken the marks away.
void keep_apart_again(const Extent& extent);
// The same of pages that the guard has put in place of others: always without a file.
// For a handler.
void keep_apart(const Extent& extent, uintptr_t start, size_t length);

// Notes what has just been mapped, in place of the extents that were there.
void add_extent(Extent extent);
// Forgets [start, end), of this range or of all; frees what was stashed of it.
void remove_extents(uintptr_t start, uintptr_t end, const AddressRange* of = nullptr);
// Makes extents begin at `start` and end at `end`; what was stashed of those they cut is
// put back first. On failure none is cut.
sys::Errno cut_extents(uintptr_t start, uintptr_t end);
// Joins neighbours that have become alike.
void join_extents(uintptr_t start, uintptr_t end);

// Notes that [start, end) is closed. `stays`: what was mapped is still there.
void close_extents(uintptr_t start, uintptr_t end, bool stays);

// What is noted of the pages at `address`, without what was stashed of them; and the same
// of pages that lie `shift` bytes further up, which may wrap.
std::vector<Extent> extents_in(const void* address, size_t length);
Extent shifted(Extent extent, uintptr_t shift);

// Undoes what stray accesses did to the pages: what the mapping had before them is there
// again, with the protection it was last given.
sys::Errno undo_strays(Extent& extent);
sys::Errno undo_strays_in(const void* address, size_t length);
// The same, before a system call acts on the pages: what it does is done to the mapping's
// own. Takes the lock.
sys::Errno own_pages_in(const void* address, size_t length);
// What the guard has counted as split for it is given back.
void forget_blocks(Extent& extent);
// Pieces of all extents: each costs the process two of the kernel's mappings.
uint32_t all_blocks();
void count_block(Extent& extent);

// The first extent that ends after `address`, and the one after another; null: none.
Extent* first_extent(uintptr_t address);
Extent* next_extent(const Extent& extent);

// Calls `act` with each extent that has an address in [start, end), until one fails.
template <typename Act>
sys::Errno each_extent(uintptr_t start, uintptr_t end, Act act) {
  for (Extent* at = first_extent(start); at != nullptr && at->start < end;) {
    Extent* next = next_extent(*at);
    if (sys::Errno error = act(*at); error.failed()) return error;
    at = next;
  }
  return {};
}

}  // namespace memmap::core
