// AddressRange owns a range of addresses, and is the only code that gives addresses
// back to the kernel.
//
// Whoever can still reach the addresses holds a shared_ptr: the Mapping whose pages lie
// there, the backing store of each buffer over them, a background job. While one of
// them lives the addresses stay taken: emptied by vacate(), never unmapped, never
// reused. The last one to let go unmaps, on whatever thread it runs.
//
// Threads: all functions may be called from any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/fault_slots.h"
#include "core/page.h"
#include "sys/result.h"

namespace memmap::core {

class AddressRange {
 public:
  enum class Owner : uint8_t {
    kMemmap,   // mapped by us, unmapped by the destructor
    kRuntime,  // reserved by the JavaScript engine, which unmaps it with the buffer
  };

  // What the process holds through this library.
  struct Census {
    size_t live;           // ranges, open or closed
    size_t retired;        // of them closed, and kept because a buffer can reach them
    size_t retired_bytes;  // address space the retired ones take
  };

  // Takes over a range that has just been mapped, in pages of `unit` bytes, and has the
  // guard answer for it.
  static std::shared_ptr<AddressRange> take(void* address, size_t length, Owner owner,
                                            size_t unit = page_size());

  // The range that wholly contains [address, address + length), or null. A range of the
  // runtime is found only if `held`: the caller holds a buffer over it, so the engine
  // cannot have unmapped it behind our back.
  static std::shared_ptr<AddressRange> find(uintptr_t address, size_t length, bool held);

  // Whether a range has a byte in [address, address + length): one of the runtime, too.
  static bool any_in(uintptr_t address, size_t length);

  static Census census();

  AddressRange(const AddressRange&) = delete;
  AddressRange& operator=(const AddressRange&) = delete;
  ~AddressRange();

  char* begin() const { return begin_; }
  size_t length() const { return length_.load(std::memory_order_relaxed); }
  Owner owner() const { return owner_; }

  // Where the guard counts the faults of the range.
  SlotIndex slot() const { return slot_; }
  // The same for a part that holds a mapping of its own, from now on.
  SlotIndex slot_for_part(uintptr_t start, size_t length, size_t unit);

  // Replaces the pages of a part by closed pages in one step, so that no other thread
  // finds a hole: what still points there reads zeros, and its writes reach nobody.
  // Files and huge pages are released. EPERM if mseal(2) forbids it. Without the guard,
  // which counts the accesses, it is zero pages at once.
  sys::Errno vacate(size_t offset, size_t length);

  // mseal(2). ENOTSUP for memory of the runtime, which ends the process when it cannot
  // unmap a buffer of its own.
  sys::Errno seal(size_t offset, size_t length, unsigned long flags);

  // Counts the range as closed. Once.
  void retire();

  // Takes over `more` bytes that the kernel has just mapped behind the end.
  void extend(size_t more);

  // Forgets the addresses without unmapping them: someone else has moved them.
  void disown();

 private:
  struct Part {
    uintptr_t start;
    size_t length;
    SlotIndex slot;
  };

  AddressRange(char* begin, size_t length, Owner owner, SlotIndex slot)
      : begin_(begin), length_(length), owner_(owner), slot_(slot) {}

  void forget_slots();

  char* const begin_;
  std::atomic<size_t> length_;  // changed under the registry's mutex, read anywhere
  const Owner owner_;
  const SlotIndex slot_;
  std::vector<Part> parts_;  // guarded by the registry's mutex
  bool retired_ = false;     // guarded by the registry's mutex
  bool disowned_ = false;    // likewise
};

}  // namespace memmap::core
