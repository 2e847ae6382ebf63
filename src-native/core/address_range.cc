#include "core/address_range.h"

#include <sys/mman.h>

#include <map>
#include <mutex>

#include "core/closed_pages.h"
#include "core/guard.h"
#include "core/page.h"
#include "core/stash.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

struct Entry {
  const AddressRange* range;  // identity, valid until the range's destructor has run
  std::weak_ptr<AddressRange> owner;
  bool of_runtime;
};

// Every live range of the process, by first address. Process-wide because MAP_FIXED
// from one worker must know what another one mapped, and because a backing store dies
// on any thread. Never destroyed: finalizers can run after static destructors.
struct Registry {
  std::mutex mutex;
  std::map<uintptr_t, Entry> ranges;
  AddressRange::Census census = {};
};

Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

}  // namespace

std::shared_ptr<AddressRange> AddressRange::take(void* address, size_t length,
                                                 Owner owner, size_t unit) {
  SlotIndex slot = kProcess;
  if (guard_enabled()) {
    slot = claim_slot(number(address), length, {owner == Owner::kRuntime, unit});
  }
  std::shared_ptr<AddressRange> range(
      new AddressRange(static_cast<char*>(address), length, owner, slot));
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  // The engine may have unmapped a range of its own before our note of it went, and the
  // kernel handed the addresses out again: the newer entry is the true one.
  all.ranges.insert_or_assign(number(address),
                              Entry{range.get(), range, owner == Owner::kRuntime});
  all.census.live += 1;
  return range;
}

std::shared_ptr<AddressRange> AddressRange::find(uintptr_t address, size_t length,
                                                 bool held) {
  // Goes after the lock: if ours is the last reference by then, the destructor takes it.
  std::shared_ptr<AddressRange> range;
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  auto after = all.ranges.upper_bound(address);
  if (after == all.ranges.begin()) return nullptr;
  const Entry& entry = std::prev(after)->second;
  if (entry.of_runtime && !held) return nullptr;
  // A range whose destructor has begun no longer locks, and counts as gone.
  range = entry.owner.lock();
  if (range == nullptr) return nullptr;
  if (!within(address - number(range->begin_), length, range->length())) return nullptr;
  return range;
}

bool AddressRange::any_in(uintptr_t address, size_t length) {
  std::shared_ptr<AddressRange> range;  // goes after the lock, as in find()
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  if (all.ranges.empty()) return false;
  // Ranges are apart: the last that begins before the end is the one to look at.
  auto after = all.ranges.lower_bound(address + length);
  if (after == all.ranges.begin()) return false;
  const auto& [begin, entry] = *std::prev(after);
  range = entry.owner.lock();
  return range != nullptr && overlap(begin, range->length(), address, length);
}

AddressRange::Census AddressRange::census() {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  return all.census;
}

AddressRange::~AddressRange() {
  {
    Registry& all = registry();
    std::lock_guard lock(all.mutex);
    auto found = all.ranges.find(number(begin_));
    if (found != all.ranges.end() && found->second.range == this) all.ranges.erase(found);
    all.census.live -= 1;
    if (retired_) {
      all.census.retired -= 1;
      all.census.retired_bytes -= length();
    }
  }
  forget_slots();
  // Only now, with the entry gone: whoever is given these addresses next finds the
  // registry free of them.
  if (owner_ == Owner::kMemmap && !disowned_) {
    // Fails only for sealed memory, which stays for as long as the process.
    static_cast<void>(sys::munmap(begin_, length()));
  }
}

// Of a range of the runtime a buffer may be left, whose end JavaScript will tell of.
void AddressRange::forget_slots() {
  parts_.push_back({0, 0, slot_});
  for (const Part& part : parts_) {
    if (owner_ == Owner::kMemmap || disowned_) {
      forget_memory(part.slot);
      drop_stash(part.slot);
    }
    release_slot(part.slot);
  }
}

SlotIndex AddressRange::slot_for_part(uintptr_t start, size_t length, size_t unit) {
  if (!guard_enabled()) return kProcess;
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  // What was mapped there before is replaced: its views show the new pages.
  std::erase_if(parts_, [&](const Part& part) {
    if (part.start < start || !within(part.start - start, part.length, length)) {
      return false;
    }
    forget_memory(part.slot);
    drop_stash(part.slot);
    release_slot(part.slot);
    return true;
  });
  const SlotIndex slot = claim_slot(start, length, {owner_ == Owner::kRuntime, unit});
  parts_.push_back({start, length, slot});
  return slot;
}

sys::Errno AddressRange::vacate(size_t offset, size_t length) {
  if (!within(offset, length, this->length())) return {EINVAL};
  if (length == 0) return {};
  if (guard_enabled()) {
    sys::Errno placed = place_closed_pages(begin_ + offset, length);
    if (placed.value != ENOSYS) return placed;
  }
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  char* address = begin_ + offset;
  sys::Result<void*> zeros =
      sys::mmap(address, length, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  // Under strict overcommit writable memory is charged whatever the flags say;
  // read-only memory never is.
  if (!zeros && zeros.error().value == ENOMEM) {
    zeros = sys::mmap(address, length, PROT_READ, kFlags, -1, 0);
  }
  return zeros ? sys::Errno{} : zeros.error();
}

sys::Errno AddressRange::seal(size_t offset, size_t length, unsigned long flags) {
  if (!within(offset, length, this->length())) return {EINVAL};
  if (owner_ == Owner::kRuntime) return {ENOTSUP};
  return sys::mseal(begin_ + offset, length, flags);
}

void AddressRange::retire() {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  if (std::exchange(retired_, true)) return;
  all.census.retired += 1;
  all.census.retired_bytes += length();
}

void AddressRange::extend(size_t more) {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  length_.fetch_add(more, std::memory_order_relaxed);
  extend_slot(slot_, more);
  if (retired_) all.census.retired_bytes += more;
}

void AddressRange::disown() {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  disowned_ = true;
  forget_memory(slot_);
}

}  // namespace memmap::core
