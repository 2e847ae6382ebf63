#include "core/extent/extent.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/extent/closed_pages.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/spare_mappings.h"
#include "sys/abi.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;

// By first address; no two overlap. Never destroyed: a fault can come after the static
// destructors.
using Table = std::map<uintptr_t, Extent>;

Table& table() {
  static Table& instance = *new Table;
  return instance;
}

uint32_t total_blocks = 0;

void* at(uintptr_t address) { return reinterpret_cast<void*>(address); }

// What /proc shows of a protection. Others are PROT_SEM, PROT_GROWSDOWN, PROT_BTI.
constexpr int kAccess = PROT_READ | PROT_WRITE | PROT_EXEC;

// Splits the extent that has `address` inside, if there is one. Nothing of it is stashed.
void split(uintptr_t address) {
  Extent* whole = find_extent(address);
  if (whole == nullptr || whole->start == address) return;
  Extent rest = *whole;
  rest.start = address;
  rest.blocks = 0;
  rest.stash = nullptr;
  if (rest.lost_from != 0) rest.lost_from = std::max(rest.lost_from, address);
  whole->end = address;
  if (whole->lost_from >= address) whole->lost_from = 0;
  table().emplace(address, std::move(rest));
}

// An extent, or what has been stashed of one, around the address: what the kernel could
// have joined with pages of ours. False if there is neither.
bool find_joined(uintptr_t address, uintptr_t& start, uintptr_t& end) {
  const Extent* beside = find_extent(address);
  const Stash* stash = beside == nullptr ? find_stash(address) : nullptr;
  if (stash != nullptr) {
    start = reinterpret_cast<uintptr_t>(stash->pages);
    end = start + stash->length;
    return true;
  }
  if (beside == nullptr) return false;
  start = beside->start;
  end = beside->end;
  return true;
}

// Whether kernel's mappings from `first` to `last` are of more than the extent and what
// the kernel has joined with it of ours.
bool reach_out(const Extent& extent, uintptr_t first, uintptr_t last) {
  uintptr_t start = extent.start;
  uintptr_t end = extent.end;
  uintptr_t other = 0;
  while (first < start) {
    if (!find_joined(start - 1, start, other)) return true;
  }
  while (last > end) {
    if (!find_joined(end, other, end)) return true;
  }
  return false;
}

// Where the kernel's mapping at the address begins and ends. Its own text: that of the
// caller is in use.
bool find_borders(uintptr_t address, uintptr_t& start, uintptr_t& end) {
  static VmaText text;  // under the page replacement lock
  Vma vma = {};
  if (!find_vma(address, vma, text)) return false;
  start = vma.start;
  end = vma.end;
  return true;
}

// Whether the kernel's mapping, which has no mark of its own, may be of an extent of the
// engine's addresses: those begin and end where ours did. Others may lie inside what the
// engine has unmapped since, and then the borders are gone.
bool within_borders(const Extent& extent, const Vma& vma) {
  uintptr_t first = vma.start;
  uintptr_t last = vma.end;
  uintptr_t other = 0;
  if (first > extent.start && !find_borders(extent.start, first, other)) return false;
  if (last < extent.end && !find_borders(extent.end - 1, other, last)) return false;
  return !reach_out(extent, first, last);
}

bool alike(const Extent& a, const Extent& b) {
  return a.end == b.start && a.origin == b.origin && a.range == b.range &&
         a.counts == b.counts && a.prot == b.prot && a.pristine == b.pristine &&
         a.closed == b.closed && a.stays == b.stays && a.backing.unit == b.backing.unit &&
         a.kept_on_fork == b.kept_on_fork && !a.fixed_up && !b.fixed_up &&
         a.stash == nullptr && b.stash == nullptr;
}

// Whether there is an extent at each of the addresses, and `is` each of them.
template <typename Is>
bool all_are(uintptr_t start, uintptr_t end, Is is) {
  while (start < end) {
    const Extent* extent = find_extent(start);
    if (extent == nullptr || !is(*extent)) return false;
    start = extent->end;
  }
  return true;
}

}  // namespace

Extent* first_extent(uintptr_t address) {
  Table& all = table();
  auto after = all.upper_bound(address);
  if (after != all.begin()) {
    auto before = std::prev(after);
    if (before->second.end > address) return &before->second;
  }
  return after == all.end() ? nullptr : &after->second;
}

Extent* next_extent(const Extent& extent) { return first_extent(extent.end); }

Extent* find_extent(uintptr_t address) {
  Extent* found = first_extent(address);
  return found != nullptr && found->start <= address ? found : nullptr;
}

bool all_in_extents(uintptr_t start, uintptr_t end) {
  return all_are(start, end, [](const Extent&) { return true; });
}

bool all_open(uintptr_t start, uintptr_t end) {
  return all_are(start, end, [](const Extent& extent) { return !extent.closed; });
}

Standing standing(Extent& extent, const Vma& vma) {
  if (is_closed(vma)) return Standing::kClosed;
  const bool anonymous = vma.inode == 0 && !vma.shared;
  // What the engine has mapped at its addresses since looks the same, but reaches
  // further.
  const bool like_others = anonymous || !extent.backing.shown();
  if (extent.engine_owned && like_others && !within_borders(extent, vma)) {
    return Standing::kForeign;
  }
  const bool replaced = extent.fixed_up;
  // Where closed pages were placed, nothing else is ours but the zeros for them.
  if (extent.closed && !extent.stays) {
    return replaced && anonymous && vma.readable ? Standing::kReplaced
                                                 : Standing::kForeign;
  }
  // Memory without a file has no other mark than its protection.
  const bool as_asked =
      extent.prot == -1 || protection_of(vma) == (extent.prot & kAccess);
  if (anonymous && !replaced && !as_asked) {
    return Standing::kForeign;
  }
  // Wraps where the kernel's mapping begins before ours: so does its offset.
  if (stands_behind(extent.backing, vma, vma.start - extent.origin)) {
    if (vma.shared == extent.backing.shared) return Standing::kOriginal;
    return replaced && !vma.shared ? Standing::kReplaced : Standing::kForeign;
  }
  return replaced && anonymous ? Standing::kReplaced : Standing::kForeign;
}

void keep_apart(const Extent& extent) {
  const Backing& backing = extent.backing;
  if (backing.shared || backing.kind != Backing::Kind::kAnonymous) return;
  keep_apart(extent, extent.start, extent.length());
}

void keep_apart_again(const Extent& extent) {
  if (!extent.engine_owned) return;
  if (!extent.fixed_up) return keep_apart(extent);
  static VmaText text;  // under the page replacement lock
  Vma vma = {};
  for (uintptr_t next = extent.start; next < extent.end; next = vma.end) {
    if (!find_vma(next, vma, text)) return;
    const bool anonymous = vma.inode == 0 && !vma.shared;
    if (anonymous) keep_apart(extent, next, std::min(vma.end, extent.end) - next);
  }
}

// What a child would see of wiped memory is of no consequence, since Node's call exec.
// Whoever wants it kept nevertheless has it marked by a hint, which means nothing to such
// memory.
void keep_apart(const Extent& extent, uintptr_t start, size_t length) {
  if (!extent.engine_owned) return;
  const int mark = extent.kept_on_fork ? MADV_RANDOM : MADV_WIPEONFORK;
  static_cast<void>(with_spares([&] { return sys::madvise(at(start), length, mark); }));
}

void add_extent(Extent extent) {
  remove_extents(extent.start, extent.end);
  const uintptr_t start = extent.start;
  table().emplace(start, std::move(extent));
}

void remove_extents(uintptr_t start, uintptr_t end, const AddressRange* of) {
  split(start);
  split(end);
  Table& all = table();
  for (auto next = all.lower_bound(start); next != all.end() && next->first < end;) {
    Extent& extent = next->second;
    if (of != nullptr && extent.range != of) {
      ++next;
      continue;
    }
    drop_stash(extent.stash);
    forget_blocks(extent);
    next = all.erase(next);
  }
}

Errno cut_extents(uintptr_t start, uintptr_t end) {
  for (uintptr_t border : {start, end}) {
    Extent* cut = find_extent(border);
    if (cut == nullptr || cut->start == border) continue;
    if (Errno error = undo_strays(*cut); error.failed()) return error;
  }
  split(start);
  split(end);
  return {};
}

void join_extents(uintptr_t start, uintptr_t end) {
  Table& all = table();
  Extent* left = first_extent(start == 0 ? 0 : start - 1);
  while (left != nullptr && left->start <= end) {
    Extent* right = next_extent(*left);
    if (right == nullptr) return;
    if (!alike(*left, *right)) {
      left = right;
      continue;
    }
    left->end = right->end;
    left->blocks += right->blocks;
    all.erase(right->start);
  }
}

Errno undo_strays(Extent& extent) {
  const bool stashed = extent.stash != nullptr;
  if (!stashed && !extent.opened) return {};
  const int prot = extent.prot == -1 ? PROT_READ : extent.prot;
  const auto protect = [&] {
    return with_spares(
        [&] { return sys::mprotect(at(extent.start), extent.length(), prot); });
  };
  // First: a stray access that comes now waits for the lock, and leaves nothing behind.
  if (Errno error = protect(); error.failed()) return error;
  if (Errno error = unstash(extent.stash); error.failed()) return error;
  if (extent.opened && !extent.broken) {
    // Private pages that were written are dropped: the file, or nothing, is behind them.
    Errno dropped = sys::madvise(at(extent.start), extent.length(), MADV_DONTNEED);
    if (dropped.value == EINVAL) {
      // Locked pages stay until they are unlocked.
      static_cast<void>(sys::munlock(at(extent.start), extent.length()));
      dropped = sys::madvise(at(extent.start), extent.length(), MADV_DONTNEED);
      static_cast<void>(sys::mlock(at(extent.start), extent.length()));
    }
    if (dropped.failed()) return dropped;
  }
  // Pages that are back have the protection they had when they were taken.
  if (stashed) {
    if (Errno error = protect(); error.failed()) return error;
    keep_apart(extent);
  }
  extent.opened = false;
  if (extent.broken) return {};
  forget_blocks(extent);
  extent.fixed_up = extent.lost_from != 0;
  return {};
}

Errno undo_strays_in(const void* address, size_t length) {
  const auto start = reinterpret_cast<uintptr_t>(address);
  return each_extent(start, start + length, undo_strays);
}

Errno own_pages_in(const void* address, size_t length) {
  const PageReplacementLock lock;
  return undo_strays_in(address, length);
}

void close_extents(uintptr_t start, uintptr_t end, bool stays) {
  static_cast<void>(each_extent(start, end, [stays](Extent& extent) {
    drop_stash(extent.stash);
    forget_blocks(extent);
    extent.closed = true;
    extent.stays = stays;
    extent.prot = -1;
    extent.fd = -1;
    extent.opened = extent.fixed_up = extent.broken = false;
    extent.lost_from = extent.suspect = 0;
    return Errno{};
  }));
}

std::vector<Extent> extents_in(const void* address, size_t length) {
  const auto start = reinterpret_cast<uintptr_t>(address);
  std::vector<Extent> found;
  static_cast<void>(each_extent(start, start + length, [&](const Extent& extent) {
    found.push_back(extent);
    Extent& copy = found.back();
    copy.start = std::max(copy.start, start);
    copy.end = std::min(copy.end, start + length);
    copy.stash = nullptr;
    copy.blocks = 0;
    return Errno{};
  }));
  return found;
}

Extent shifted(Extent extent, uintptr_t shift) {
  extent.start += shift;
  extent.end += shift;
  extent.origin += shift;
  if (extent.lost_from != 0) extent.lost_from += shift;
  extent.suspect = 0;
  return extent;
}

void forget_blocks(Extent& extent) {
  total_blocks -= extent.blocks;
  extent.blocks = 0;
}

uint32_t all_blocks() { return total_blocks; }

void count_block(Extent& extent) {
  extent.blocks += 1;
  total_blocks += 1;
}

}  // namespace memmap::core
