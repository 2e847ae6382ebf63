#include "core/stash.h"

#include "core/page.h"
#include "sys/abi.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

// The first page of a stash; the pages put aside follow it.
struct Stash {
  Stash* next;
  void* origin;
  size_t length;

  char* pages() { return reinterpret_cast<char*>(this) + page_size(); }
};

Stash* take_all(SlotIndex index) {
  return reinterpret_cast<Stash*>(fault_slot(index).stash.exchange(0));
}

}  // namespace

bool put_aside(SlotIndex index, uintptr_t start, size_t length) {
  constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const size_t size = page_size() + length;
  sys::Result<void*> area =
      sys::mmap(nullptr, size, PROT_READ | PROT_WRITE, kAnonymous, -1, 0);
  if (!area) return false;
  auto* stash = static_cast<Stash*>(*area);
  void* origin = reinterpret_cast<void*>(start);
  if (!sys::mremap(origin, length, length,
                   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, stash->pages())) {
    static_cast<void>(sys::munmap(stash, size));
    return false;
  }
  stash->origin = origin;
  stash->length = length;
  std::atomic<uintptr_t>& first = fault_slot(index).stash;
  uintptr_t next = first.load(std::memory_order_relaxed);
  do {
    stash->next = reinterpret_cast<Stash*>(next);
    // Pairs with the exchange in take_all.
  } while (!first.compare_exchange_weak(next, reinterpret_cast<uintptr_t>(stash)));
  return true;
}

sys::Errno take_back(SlotIndex index, char* address, size_t length, int prot) {
  for (Stash* stash = take_all(index); stash != nullptr;) {
    Stash* next = stash->next;
    sys::Result<void*> moved = sys::mremap(stash->pages(), stash->length, stash->length,
                                           MREMAP_MAYMOVE | MREMAP_FIXED, stash->origin);
    if (!moved) return moved.error();
    static_cast<void>(sys::munmap(stash, page_size()));
    stash = next;
  }
  return sys::mprotect(address, length, prot);
}

void drop_stash(SlotIndex index) {
  for (Stash* stash = take_all(index); stash != nullptr;) {
    Stash* next = stash->next;
    static_cast<void>(sys::munmap(stash, page_size() + stash->length));
    stash = next;
  }
}

}  // namespace memmap::core
