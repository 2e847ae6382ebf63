#include "core/mapping/address_range.h"

#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <new>
#include <utility>
#include <vector>

#include "core/guard/guard.h"
#include "core/mapping/closing.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/spare_mappings.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;

struct Entry {
  const AddressRange* range;  // identity, valid until the range's destructor has run
  std::weak_ptr<AddressRange> owner;
  std::shared_ptr<AddressRange> kept;  // one of the runtime: see the header
};

// Every live range of the process, by first address; no two overlap. Process-wide because
// MAP_FIXED from one worker must know what another one mapped, and because a backing
// store dies on any thread. Under the page replacement lock. Never destroyed: finalizers
// can run after static destructors.
struct Registry {
  std::map<uintptr_t, Entry> ranges;
  AddressRange::Census census = {};
  size_t engine_owned = 0;
  size_t sweep_at = kFirstSweep;

  static constexpr size_t kFirstSweep = 1024;
};

Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

// Takes an entry out; its range may die with what is returned.
std::shared_ptr<AddressRange> take_out(Registry& all,
                                       std::map<uintptr_t, Entry>::iterator entry) {
  if (entry->second.kept != nullptr) all.engine_owned -= 1;
  std::shared_ptr<AddressRange> kept = std::move(entry->second.kept);
  all.ranges.erase(entry);
  return kept;
}

// The first range that ends after `address`.
std::map<uintptr_t, Entry>::iterator first_after(Registry& all, uintptr_t address) {
  auto after = all.ranges.upper_bound(address);
  if (after == all.ranges.begin()) return after;
  auto before = std::prev(after);
  return before->first + before->second.range->length() > address ? before : after;
}

// A new range lies here: what was here before, somebody has unmapped without a word.
void forget_stale(Registry& all, uintptr_t start, uintptr_t end) {
  for (auto stale = first_after(all, start);
       stale != all.ranges.end() && stale->first < end; stale = first_after(all, start)) {
    const std::shared_ptr<AddressRange> alive = stale->second.owner.lock();
    if (alive != nullptr) {
      alive->disown();
    } else {
      static_cast<void>(take_out(all, stale));
    }
  }
}

// What a sweep looks for: ranges of the runtime, and whether the kernel has them still.
struct Sweep {
  struct Candidate {
    uintptr_t start;
    bool there;
  };
  std::vector<Candidate> candidates;  // by address
  size_t next = 0;
};

bool look_for_candidates(void* context, const Vma& vma) {
  auto& sweep = *static_cast<Sweep*>(context);
  auto& all = sweep.candidates;
  while (sweep.next < all.size() && all[sweep.next].start < vma.start) sweep.next += 1;
  for (; sweep.next < all.size() && all[sweep.next].start < vma.end; sweep.next += 1) {
    Extent* extent = find_extent(all[sweep.next].start);
    all[sweep.next].there =
        extent != nullptr && standing(*extent, vma) != Standing::kForeign;
  }
  return sweep.next < all.size();
}

// Whether the kernel's mapping, which ends at `end` or later, is of MAP_GROWSDOWN: there
// alone mprotect(2) takes PROT_GROWSDOWN, and the protection that is there changes
// nothing.
bool may_grow_down(const Vma& vma, uintptr_t end) {
  const int prot = protection_of(vma) | PROT_GROWSDOWN;
  void* last = reinterpret_cast<void*>(end - page_size());
  return vma.inode == 0 && !sys::mprotect(last, page_size(), prot).failed();
}

}  // namespace

std::shared_ptr<AddressRange> AddressRange::take(void* address, size_t length,
                                                 Owner owner, bool grows_down) {
  std::shared_ptr<AddressRange> range(
      new AddressRange(static_cast<char*>(address), length, owner, grows_down));
  Registry& all = registry();
  const PageReplacementLock lock;
  if (owner == Owner::kRuntime && all.engine_owned >= all.sweep_at) sweep();
  forget_stale(all, number(address), number(address) + length);
  Entry entry{range.get(), range, nullptr};
  if (owner == Owner::kRuntime) {
    entry.kept = range;
    all.engine_owned += 1;
  }
  all.ranges.emplace(number(address), std::move(entry));
  all.census.live += 1;
  return range;
}

std::shared_ptr<AddressRange> AddressRange::find(uintptr_t address, size_t length,
                                                 bool held) {
  Registry& all = registry();
  const PageReplacementLock lock;
  auto after = all.ranges.upper_bound(address);
  if (after == all.ranges.begin()) return nullptr;
  const auto& [begin, entry] = *std::prev(after);
  // A range whose destructor has begun no longer locks, and counts as gone.
  std::shared_ptr<AddressRange> range = entry.owner.lock();
  if (range == nullptr || (range->owner_ == Owner::kRuntime && !held)) return nullptr;
  return within(address - begin, length, range->length()) ? range : nullptr;
}

bool AddressRange::any_in(uintptr_t address, size_t length) {
  Registry& all = registry();
  const PageReplacementLock lock;
  if (all.ranges.empty() || length == 0) return false;
  length = std::min(length, UINTPTR_MAX - address);
  // Ranges are apart: the last that begins before the end is the one to look at.
  auto after = all.ranges.lower_bound(address + length);
  if (after == all.ranges.begin()) return false;
  const auto& [begin, entry] = *std::prev(after);
  return overlap(begin, entry.range->length(), address, length);
}

AddressRange::Census AddressRange::census() {
  const PageReplacementLock lock;
  return registry().census;
}

void AddressRange::sweep() {
  Registry& all = registry();
  const PageReplacementLock lock;
  Sweep sweep;
  for (const auto& [start, entry] : all.ranges) {
    if (entry.kept != nullptr && entry.kept.use_count() == 1) {
      sweep.candidates.push_back({start, false});
    }
  }
  const std::unique_ptr<VmaText> text(new (std::nothrow) VmaText);
  if (text != nullptr && for_each_vma(*text, look_for_candidates, &sweep)) {
    for (const Sweep::Candidate& candidate : sweep.candidates) {
      if (candidate.there) continue;
      const auto gone = take_out(all, all.ranges.find(candidate.start));
    }
  }
  all.sweep_at = std::max(Registry::kFirstSweep, 2 * all.engine_owned);
}

AddressRange::~AddressRange() {
  {
    Registry& all = registry();
    const PageReplacementLock lock;
    auto found = all.ranges.find(number(begin_));
    if (found != all.ranges.end() && found->second.range == this) all.ranges.erase(found);
    remove_extents(number(begin_), number(begin_) + length(), this);
    if (owner_ == Owner::kMemmap && !disowned_) unmap_below();
    all.census.live -= 1;
    if (retired_) {
      all.census.retired -= 1;
      all.census.retired_bytes -= length();
    }
  }
  if (owner_ != Owner::kMemmap || disowned_) return;
  // Only now, with the entry gone: whoever is given these addresses next finds the
  // registry free of them.
  if (!sys::munmap(begin_, length()).failed()) return;
  // Sealed memory stays for as long as the process. What has merged with its neighbours
  // has to be split, which the limit of mappings forbids.
  const PageReplacementLock lock;
  static_cast<void>(with_spares([&] { return sys::munmap(begin_, length()); }));
}

void AddressRange::fill(char* address, size_t length, Extent extent) {
  const PageReplacementLock lock;
  extent.start = extent.origin = number(address);
  extent.end = extent.start + length;
  extent.range = this;
  extent.engine_owned = owner_ == Owner::kRuntime;
  extent.pristine = !extent.backing.shared && (extent.prot & PROT_WRITE) == 0;
  if (guard_enabled()) {
    learn_shown(extent.backing, extent.start);
    fill_spares();
  }
  keep_apart(extent);
  add_extent(std::move(extent));
}

void AddressRange::fill_as(const std::vector<Extent>& before, const char* from, char* to,
                           size_t length) {
  const PageReplacementLock lock;
  const uintptr_t shift = number(to) - number(from);  // may wrap
  const uintptr_t end = number(to) + length;
  for (size_t i = 0; i < before.size(); i++) {
    Extent extent = shifted(before[i], shift);
    const bool last = i + 1 == before.size();
    extent.end = last ? end : std::min(extent.end, end);
    if (extent.start >= extent.end) break;
    extent.range = this;
    extent.engine_owned = owner_ == Owner::kRuntime;
    keep_apart(extent);
    add_extent(std::move(extent));
  }
}

// The first address of what the kernel has added below the first page, as it does for
// MAP_GROWSDOWN. It may be one mapping with a neighbour of ours; and once other pages
// have come in place of ours, what others map may lie below them without a gap.
uintptr_t AddressRange::start_with_growth() const {
  const uintptr_t begin = number(begin_);
  if (!grows_down_ || prepare_find_vma().failed()) return begin;
  const std::unique_ptr<VmaText> text(new (std::nothrow) VmaText);
  if (text == nullptr) return begin;
  uintptr_t floor = 0;
  auto& ranges = registry().ranges;
  const auto self = ranges.lower_bound(begin);
  if (self != ranges.begin()) {
    const auto& [start, entry] = *std::prev(self);
    floor = start + entry.range->length();
  }
  uintptr_t lowest = begin;
  Vma vma = {};
  while (lowest > floor && find_vma(lowest - 1, vma, *text) &&
         may_grow_down(vma, lowest)) {
    lowest = std::max(vma.start, floor);
  }
  return lowest;
}

void AddressRange::unmap_below() {
  const uintptr_t lowest = start_with_growth();
  const size_t below = number(begin_) - lowest;
  if (below > 0) static_cast<void>(sys::munmap(begin_ - below, below));
}

Errno AddressRange::vacate(size_t offset, size_t length) {
  if (!within(offset, length, this->length())) return {EINVAL};
  if (length == 0) return {};
  const PageReplacementLock lock;
  char* address = begin_ + offset;
  const uintptr_t start = number(address);
  if (Errno error = cut_extents(start, start + length); error.failed()) return error;
  if (offset == 0) unmap_below();
  bool stays = false;
  if (Errno error = replace_by_closed(address, length, stays); error.failed()) {
    return error;
  }
  close_extents(start, start + length, stays);
  return {};
}

Errno AddressRange::protect(size_t offset, size_t length, int prot) {
  if (!within(offset, length, this->length())) return {EINVAL};
  length = round_up(length, page_size());
  char* address = begin_ + offset;
  uintptr_t start = number(address);
  const uintptr_t end = start + length;
  if (start % page_size() != 0) return {EINVAL};
  if (length == 0) return {};
  const PageReplacementLock lock;
  // The kernel then begins where its own mapping does.
  if ((prot & PROT_GROWSDOWN) != 0) start = start_of_mapping(start);
  const auto refuse_closed = [](Extent& extent) {
    return extent.closed ? Errno{ENOMEM} : Errno{};
  };
  if (Errno error = each_extent(start, end, refuse_closed); error.failed()) return error;
  if (Errno error = each_extent(start, end, undo_strays); error.failed()) return error;
  const Errno error = with_spares([&] { return sys::mprotect(address, length, prot); });
  if (Errno cut = cut_extents(start, end); cut.failed()) return cut;
  static_cast<void>(each_extent(start, end, [&](Extent& extent) {
    // Part of it may have been changed.
    extent.prot = error.failed() ? -1 : prot & ~(PROT_GROWSDOWN | PROT_GROWSUP);
    if (error.failed() || (prot & PROT_WRITE) != 0) extent.pristine = false;
    return Errno{};
  }));
  join_extents(start, end);
  return error;
}

// Where the kernel's mapping at the address begins, in this range.
uintptr_t AddressRange::start_of_mapping(uintptr_t address) const {
  const std::unique_ptr<VmaText> text(new (std::nothrow) VmaText);
  Vma vma = {};
  if (text == nullptr || prepare_find_vma().failed()) return number(begin_);
  if (!find_vma(address, vma, *text)) return address;
  return std::max(vma.start, number(begin_));
}

Errno AddressRange::seal(size_t offset, size_t length, unsigned long flags) {
  if (!within(offset, length, this->length())) return {EINVAL};
  if (owner_ == Owner::kRuntime) return {ENOTSUP};
  return sys::mseal(begin_ + offset, length, flags);
}

void AddressRange::retire() {
  const PageReplacementLock lock;
  if (std::exchange(retired_, true)) return;
  Census& census = registry().census;
  census.retired += 1;
  census.retired_bytes += length();
}

void AddressRange::extend(size_t more) {
  const PageReplacementLock lock;
  const uintptr_t end = number(begin_) + length();
  forget_stale(registry(), end, end + more);
  length_.fetch_add(more, std::memory_order_relaxed);
  if (Extent* last = find_extent(end - 1)) last->end += more;
  if (retired_) registry().census.retired_bytes += more;
}

void AddressRange::disown() {
  Registry& all = registry();
  const PageReplacementLock lock;
  disowned_ = true;
  remove_extents(number(begin_), number(begin_) + length(), this);
  auto found = all.ranges.find(number(begin_));
  if (found == all.ranges.end() || found->second.range != this) return;
  // The caller holds the range: it does not die here.
  static_cast<void>(take_out(all, found));
}

}  // namespace memmap::core
