// AddressRange owns a range of addresses, and is the only code that gives addresses that
// JavaScript could reach back to the kernel.
//
// Whoever can still reach the addresses holds a shared_ptr: the Mapping whose pages lie
// there, the backing store of each buffer over them, a background job. While one of
// them lives the addresses stay taken: emptied by vacate(), never unmapped, never
// reused. The last one to let go unmaps, on whatever thread it runs.
//
// Where the JavaScript engine owns the addresses it unmaps them with the buffer, and
// tells nobody. The registry itself holds such a range until the kernel shows something
// else there: until a new range lies over it, or a sweep finds it gone.
//
// What stands at the addresses is noted in extents (core/extent.h), which live as long as
// the range.
//
// Threads: all functions may be called from any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/extent/extent.h"
#include "core/page.h"
#include "sys/result.h"

namespace memmap::core {

class PlacedPart;

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

  // Takes over a range that has just been mapped.
  static std::shared_ptr<AddressRange> take(void* address, size_t length, Owner owner,
                                            bool grows_down = false);

  // The range that wholly contains [address, address + length), or null. A range of the
  // runtime is found only if `held`: the caller holds a buffer over it, so the engine
  // cannot have unmapped it behind our back.
  static std::shared_ptr<AddressRange> find(uintptr_t address, size_t length, bool held);

  // Whether a range has a byte in [address, address + length): one of the runtime, too.
  static bool any_in(uintptr_t address, size_t length);

  static Census census();
  // Forgets the ranges of the runtime that it has unmapped and nobody of ours holds.
  static void sweep();

  AddressRange(const AddressRange&) = delete;
  AddressRange& operator=(const AddressRange&) = delete;
  ~AddressRange();

  char* begin() const { return begin_; }
  size_t length() const { return length_.load(std::memory_order_relaxed); }
  Owner owner() const { return owner_; }
  bool grows_down() const { return grows_down_; }

  // Of a range that is for mappings to be placed in: no buffer is over it as a whole.
  void reserve() { is_reservation_ = true; }
  bool is_reservation() const { return is_reservation_; }

  // Notes what has just been mapped at `address`, for the guard to answer for: its unit,
  // prot, backing and counts are the caller's to fill in. With the page replacement lock
  // held since before it was mapped, unless the range is new.
  void fill(char* address, size_t length, Extent extent);

  // Notes the same of pages that have been moved from `from` to `to`, and are `length`
  // bytes now: extents_in() before the move. With the lock held since then.
  void fill_as(const std::vector<Extent>& before, const char* from, char* to,
               size_t length);

  // Replaces the pages of a part by closed pages in one step, so that no other thread
  // finds a hole: what still points there reads zeros, and its writes reach nobody.
  // Files and huge pages are released. EPERM if mseal(2) forbids it. Without the guard,
  // which counts the accesses, it is zero pages at once. At the kernel's limit of
  // mappings the pages stay, without access.
  sys::Errno vacate(size_t offset, size_t length);

  // mprotect(2), after the pages have got back what stray accesses took from them. ENOMEM
  // over closed pages, before anything happens.
  sys::Errno protect(size_t offset, size_t length, int prot);

  // mseal(2). ENOTSUP for memory of the runtime, which ends the process when it cannot
  // unmap a buffer of its own.
  sys::Errno seal(size_t offset, size_t length, unsigned long flags);

  // Counts the range as closed. Once.
  void retire();

  // Takes over `more` bytes that the kernel has just mapped behind the end.
  void extend(size_t more);

  // Unmaps what the kernel has added below, as it does for MAP_GROWSDOWN. With the lock.
  void unmap_below();

  // Forgets the addresses without unmapping them: someone else has moved them.
  void disown();

 private:
  AddressRange(char* begin, size_t length, Owner owner, bool grows_down)
      : begin_(begin), length_(length), owner_(owner), grows_down_(grows_down) {}

  friend class PlacedPart;

  // The closed pages of a part that nobody reaches, nor any other part, are without a
  // mapping again.
  void clear(const PlacedPart& part);
  uintptr_t start_with_growth() const;
  uintptr_t start_of_mapping(uintptr_t address) const;

  char* const begin_;
  std::atomic<size_t> length_;  // changed under the lock, read anywhere
  const Owner owner_;
  const bool grows_down_;
  bool is_reservation_ = false;  // from the beginning
  // Under the page replacement lock.
  bool retired_ = false;
  bool disowned_ = false;
  std::vector<const PlacedPart*> parts_;
};

}  // namespace memmap::core
