#include "core/mapping.h"

#include <cstdio>
#include <memory>
#include <utility>

#include "core/guard.h"
#include "core/headroom.h"
#include "core/page.h"
#include "core/remap.h"
#include "core/stash.h"
#include "sys/abi.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

size_t default_huge_page_size() {
  std::unique_ptr<FILE, int (*)(FILE*)> meminfo(std::fopen("/proc/meminfo", "re"),
                                                std::fclose);
  char line[128];
  size_t kilobytes = 0;
  while (meminfo != nullptr && std::fgets(line, sizeof line, meminfo.get()) != nullptr) {
    if (std::sscanf(line, "Hugepagesize: %zu kB", &kilobytes) == 1) break;
  }
  return kilobytes != 0 ? kilobytes * 1024 : page_size();
}

// Tells the guard that faults on these pages need not be another's.
void expect_access(SlotIndex slot, int prot) {
  if ((prot & PROT_WRITE) == 0) expect_protected(slot);
}

}  // namespace

size_t unit_of_flags(int flags) {
  if ((flags & MAP_HUGETLB) == 0) return page_size();
  unsigned shift =
      (static_cast<unsigned>(flags) >> MAP_HUGE_SHIFT) & unsigned{MAP_HUGE_MASK};
  return shift != 0 ? size_t{1} << shift : default_huge_page_size();
}

Result<Mapping> Mapping::create(const Request& request) {
  size_t unit = request.unit != 0 ? request.unit : unit_of_flags(request.flags);
  // What the kernel will take: whole pages. Zero, and a length no rounding can hold, are
  // its to refuse.
  size_t length = round_up(request.length, unit);
  if (length == 0) return Errno{request.length == 0 ? EINVAL : ENOMEM};

  arm_guard();
  int flags = request.flags;
  std::shared_ptr<AddressRange> host;
  if ((flags & MAP_FIXED) != 0) {
    host =
        AddressRange::find(reinterpret_cast<uintptr_t>(request.address), length, false);
    if (host == nullptr) flags = (flags & ~MAP_FIXED) | MAP_FIXED_NOREPLACE;
  }
  // Inside a range it may split the mapping that is there.
  if (!claim_mappings(host == nullptr ? 1 : 2)) return Errno{ENOMEM};
  Result<void*> mapped = sys::mmap(request.address, request.length, request.prot, flags,
                                   request.fd, request.offset);
  if (!mapped) return mapped.error();
  char* address = static_cast<char*>(*mapped);
  if (host != nullptr) {
    Mapping mapping(std::move(host), address, length);
    mapping.unit_ = unit;
    mapping.slot_ =
        mapping.range_->slot_for_part(reinterpret_cast<uintptr_t>(address), length, unit);
    expect_access(mapping.slot_, request.prot);
    return mapping;
  }

  auto range = AddressRange::take(address, length, AddressRange::Owner::kMemmap, unit);
  // A kernel before 4.17 takes MAP_FIXED_NOREPLACE for a hint.
  if ((flags & MAP_FIXED_NOREPLACE) != 0 && address != request.address) {
    return Errno{EEXIST};
  }
  Mapping mapping(std::move(range), address, length);
  mapping.unit_ = unit;
  expect_access(mapping.slot_, request.prot);
  return mapping;
}

void Mapping::keep(sys::UniqueFd fd) {
  fd_ = std::move(fd);
  set_slot_fd(slot_, fd_.get());
}

char* Mapping::at(size_t offset, size_t length) const {
  return within(offset, length, length_) ? address_ + offset : nullptr;
}

Errno Mapping::overlay(void* address) {
  // The engine's reservation around a buffer: guard pages before and behind it.
  if (!claim_mappings(2)) return {ENOMEM};
  // Where an earlier buffer can reach the old addresses they stay mapped, as zero pages.
  const bool leave = !alone();
  const int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (leave ? MREMAP_DONTUNMAP : 0);
  Result<void*> moved = sys::mremap(address_, length_, length_, flags, address);
  if (!moved) return moved.error();
  if (leave) {
    Errno error =
        range_->vacate(static_cast<size_t>(address_ - range_->begin()), length_);
    if (error.failed()) return error;
    if (fills_range()) range_->retire();
  } else {
    range_->disown();
  }
  auto moved_to = AddressRange::take(address, length_, AddressRange::Owner::kRuntime);
  settle(std::move(moved_to));
  return {};
}

// The pages are in `range` now, and fill it.
void Mapping::settle(std::shared_ptr<AddressRange> range) {
  inherit_counts(slot_, range->slot());
  if (is_protected(slot_)) expect_protected(range->slot());
  set_slot_fd(slot_, -1);
  range_ = std::move(range);
  address_ = range_->begin();
  length_ = range_->length();
  slot_ = range_->slot();
  set_slot_fd(slot_, fd_.get());
}

bool Mapping::alone() const {
  return fills_range() && range_.use_count() == 1 &&
         range_->owner() == AddressRange::Owner::kMemmap;
}

Errno Mapping::resize(size_t length) {
  length = round_up(length, unit_);
  if (length == 0) return {EINVAL};
  if (length == length_) return {};
  const Replacing turn(slot_);
  if (!fills_range()) return {EINVAL};  // a placed mapping: its neighbours are not ours
  if (alone()) {
    Result<void*> moved = sys::mremap(address_, length_, length, MREMAP_MAYMOVE);
    if (!moved) return moved.error();
    range_->disown();
    settle(AddressRange::take(*moved, length, AddressRange::Owner::kMemmap, unit_));
  } else {
    Result<std::shared_ptr<AddressRange>> moved =
        move_out(*range_, address_, length_, length, unit_);
    if (!moved) return moved.error();
    range_->retire();
    settle(std::move(*moved));
  }
  return {};
}

Errno Mapping::restore(const Source& source, int prot) {
  const Replacing turn(slot_);
  FaultSlot& slot = fault_slot(slot_);
  size_t from = source.lost_end_only ? slot.lost_from.load() : 0;
  if (source.file < 0 || source.lost_end_only) {
    Errno error = take_back(slot_, address_, length_, prot);
    if (error.failed() || source.file < 0) return error;
  } else {
    drop_stash(slot_);  // what was put aside is the file's, and comes from there
  }
  // First, for faults of other threads while the pages come back.
  slot.lost_from.store(SIZE_MAX);
  slot.mended.store(false);
  if (from < length_) {
    Result<void*> mapped =
        sys::mmap(address_ + from, length_ - from, prot, source.flags | MAP_FIXED,
                  source.file, source.offset + static_cast<int64_t>(from));
    if (!mapped) {
      slot.lost_from.store(from);
      slot.mended.store(true);
      return mapped.error();
    }
  }
  return {};
}

Errno Mapping::close() {
  if (range_ == nullptr) return {};
  set_slot_fd(slot_, -1);
  const Replacing turn(slot_);
  if (alone()) {
    range_.reset();  // nobody can reach the addresses: unmaps them
  } else {
    Errno error =
        range_->vacate(static_cast<size_t>(address_ - range_->begin()), length_);
    if (error.failed() && error.value != EPERM) return error;
    drop_stash(slot_);
    if (fills_range()) range_->retire();
    range_.reset();
  }
  fd_ = sys::UniqueFd();
  return {};
}

}  // namespace memmap::core
