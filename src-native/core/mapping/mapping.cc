#include "core/mapping/mapping.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/guard/guard.h"
#include "core/mapping/placed_part.h"
#include "core/mapping/remap.h"
#include "core/mapping/scratch_pages.h"
#include "core/page.h"
#include "core/replacement/headroom.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/replacement.h"
#include "core/replacement/spare_mappings.h"
#include "sys/abi.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

// Whether mmap(2) takes the request at any address. What is not of a disk the kernel may
// refuse, by a seal or for want of huge or locked pages, only after it has unmapped what
// was at the address.
Errno try_elsewhere(const Mapping::Request& request, const Backing& backing,
                    size_t length) {
  const bool small = backing.unit == page_size();
  if (small && (request.fd < 0 || (backing.regular && !backing.in_memory))) return {};
  const int flags = request.flags & ~(MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_POPULATE);
  return ScratchPages(length, request.prot, flags, request.fd, request.offset).error();
}

}  // namespace

Result<Mapping> Mapping::create(const Request& request) {
  Result<Backing> backing = request.backing.has_value()
                                ? Result<Backing>(*request.backing)
                                : backing_of(request.fd, request.flags, request.offset);
  if (!backing) return backing.error();
  const size_t unit = backing->unit;
  // What the kernel will take: whole pages. Zero, and a length no rounding can hold, are
  // its to refuse.
  size_t length = round_up(request.length, unit);
  if (length == 0) return Errno{request.length == 0 ? EINVAL : ENOMEM};

  if (Errno error = arm_guard(); error.failed()) return error;

  // Nobody else replaces pages there, and no fault is answered, until it is noted.
  std::optional<PageReplacementLock> lock;
  int flags = request.flags;
  std::shared_ptr<AddressRange> host;
  if ((flags & MAP_FIXED) != 0) {
    const auto address = reinterpret_cast<uintptr_t>(request.address);
    lock.emplace();
    host = AddressRange::find(address, length, false);
    if (host == nullptr) {
      flags = (flags & ~MAP_FIXED) | MAP_FIXED_NOREPLACE;
      lock.reset();
    } else if (Errno no = try_elsewhere(request, *backing, length); no.failed()) {
      return no;
    } else if (Errno cut = cut_extents(address, address + length); cut.failed()) {
      return cut;
    }
    // Reading pages in takes long: not while others wait.
    if (host != nullptr) flags &= ~MAP_POPULATE;
  }
  // Inside a range it may split the mapping that is there.
  if (!claim_mappings(host == nullptr ? 1 : 2)) return Errno{ENOMEM};
  const auto start = reinterpret_cast<uintptr_t>(request.address);
  bool emptied = false;
  Result<void*> mapped =
      host == nullptr ? sys::mmap(request.address, request.length, request.prot, flags,
                                  request.fd, request.offset)
                      : replace_by_mapping({start, start + length}, request.prot, flags,
                                           request.fd, request.offset, emptied);
  if (emptied) {
    const auto begin = reinterpret_cast<uintptr_t>(host->begin());
    static_cast<void>(host->vacate(start - begin, length));
  }
  if (!mapped) return mapped.error();
  char* address = static_cast<char*>(*mapped);
  auto range = std::move(host);
  if (range == nullptr) {
    const bool grows_down = (flags & MAP_GROWSDOWN) != 0;
    range = AddressRange::take(address, length, AddressRange::Owner::kMemmap, grows_down);
    // A kernel before 4.17 takes MAP_FIXED_NOREPLACE for a hint.
    if ((flags & MAP_FIXED_NOREPLACE) != 0 && address != request.address) {
      return Errno{EEXIST};
    }
  }
  Extent extent;
  extent.prot = request.prot;
  extent.backing = *backing;
  extent.counts = std::make_shared<FaultCounts>();
  range->fill(address, length, std::move(extent));
  lock.reset();
  if (((request.flags & ~flags) & MAP_POPULATE) != 0) {
    const bool writes = (request.prot & PROT_WRITE) != 0;
    static_cast<void>(
        sys::madvise(address, length, writes ? MADV_POPULATE_WRITE : MADV_POPULATE_READ));
  }
  return Mapping(std::move(range), address, length);
}

Result<Mapping> Mapping::reserve(size_t length) {
  length = round_up(length, page_size());
  if (length == 0) return Errno{EINVAL};
  if (Errno error = arm_guard(); error.failed()) return error;
  if (!claim_mappings(1)) return Errno{ENOMEM};
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  Result<void*> mapped = sys::mmap(nullptr, length, PROT_NONE, kFlags, -1, 0);
  if (!mapped) return mapped.error();
  auto range = AddressRange::take(*mapped, length, AddressRange::Owner::kMemmap);
  range->reserve();
  return Mapping(std::move(range), static_cast<char*>(*mapped), length);
}

Mapping::Mapping(std::shared_ptr<AddressRange> range, char* address, size_t length)
    : range_(std::move(range)), address_(address), length_(length) {
  const PageReplacementLock lock;
  const Extent* extent = find_extent(reinterpret_cast<uintptr_t>(address));
  if (extent == nullptr) {
    counts_ = std::make_shared<FaultCounts>();
  } else {
    counts_ = extent->counts;
    unit_ = extent->backing.unit;
    const auto start = reinterpret_cast<uintptr_t>(address);
    if (range_->is_reservation()) {
      part_ = std::make_shared<PlacedPart>(range_, start, start + length);
    }
  }
}

Mapping::~Mapping() {
  // The number may be another file's soon.
  if (fd_.valid()) show_fd(-1);
}

void Mapping::swap(Mapping& other) noexcept {
  std::swap(range_, other.range_);
  std::swap(part_, other.part_);
  std::swap(address_, other.address_);
  std::swap(length_, other.length_);
  std::swap(unit_, other.unit_);
  std::swap(counts_, other.counts_);
  std::swap(fd_, other.fd_);
}

void Mapping::keep(sys::UniqueFd fd) {
  show_fd(fd.get());
  fd_ = std::move(fd);
}

void Mapping::show_fd(int fd) {
  if (range_ == nullptr) return;
  const PageReplacementLock lock;
  const auto start = reinterpret_cast<uintptr_t>(address_);
  static_cast<void>(each_extent(start, start + length_, [&](Extent& extent) {
    if (extent.counts == counts_) extent.fd = fd;
    return Errno{};
  }));
}

char* Mapping::at(size_t offset, size_t length) const {
  return within(offset, length, length_) ? address_ + offset : nullptr;
}

Errno Mapping::overlay(void* address) {
  // The engine's reservation around a buffer: guard pages before and behind it.
  if (!claim_mappings(2)) return {ENOMEM};
  const PageReplacementLock lock;
  if (!has_all(length_)) return {EFAULT};
  if (Errno error = undo_strays_in(address_, length_); error.failed()) {
    return error;
  }
  // Where an earlier buffer can reach the old addresses they stay mapped, as closed
  // pages.
  const bool leave = !alone();
  const std::vector<Extent> extents = extents_in(address_, length_);
  // Linux 6.1 and 6.12 do not move at once what is protected differently; 6.18 does.
  bool joined = false;
  if (Errno error = join_for_move(address_, length_, joined); error.failed()) {
    return error;
  }
  if (Errno error = move_onto_engine(address_, length_, leave, address); error.failed()) {
    if (joined) protect_again(address_, length_);
    return error;
  }
  if (leave) {
    // Where it fails, empty pages of the same kind stay there, under the guard.
    static_cast<void>(
        range_->vacate(static_cast<size_t>(address_ - range_->begin()), length_));
    if (fills_range()) range_->retire();
  } else {
    range_->disown();
  }
  auto moved_to = AddressRange::take(address, length_, AddressRange::Owner::kRuntime);
  moved_to->fill_as(extents, address_, moved_to->begin(), length_);
  if (joined) protect_again(moved_to->begin(), length_);
  settle(std::move(moved_to));
  return {};
}

// The pages are in `range` now, and fill it.
void Mapping::settle(std::shared_ptr<AddressRange> range) {
  part_.reset();
  range_ = std::move(range);
  address_ = range_->begin();
  length_ = range_->length();
}

bool Mapping::has_all(size_t length) const {
  const auto start = reinterpret_cast<uintptr_t>(address_);
  return all_open(start, start + length);
}

bool Mapping::alone() const {
  return fills_range() && range_.use_count() == 1 &&
         range_->owner() == AddressRange::Owner::kMemmap;
}

Errno Mapping::resize(size_t length) {
  length = round_up(length, unit_);
  if (length == 0) return {EINVAL};
  // The caller drops its buffer, with which the engine unmaps pages of its own.
  if (length == length_ && range_->owner() != AddressRange::Owner::kRuntime) return {};
  const PageReplacementLock lock;
  if (!fills_range()) return {EINVAL};  // a placed mapping: its neighbours are not ours
  if (!has_all(std::min(length, length_))) return {EFAULT};
  if (!alone()) {
    Result<std::shared_ptr<AddressRange>> moved =
        move_out(*range_, address_, length_, length);
    if (!moved) return moved.error();
    range_->retire();
    settle(std::move(*moved));
    return {};
  }
  if (Errno error = undo_strays_in(address_, length_); error.failed()) {
    return error;
  }
  range_->unmap_below();
  const std::vector<Extent> extents = extents_in(address_, length_);
  bool joined = false;
  if (Errno error = join_for_move(address_, length_, joined); error.failed()) {
    return error;
  }
  Result<void*> moved = move_pages(address_, length_, length);
  if (!moved) {
    if (joined) protect_again(address_, length_);
    return moved.error();
  }
  const bool grows_down = range_->grows_down();
  range_->disown();
  auto range =
      AddressRange::take(*moved, length, AddressRange::Owner::kMemmap, grows_down);
  range->fill_as(extents, address_, range->begin(), length);
  if (joined) protect_again(range->begin(), length);
  settle(std::move(range));
  return {};
}

Errno Mapping::close() {
  if (range_ == nullptr) return {};
  if (fd_.valid()) show_fd(-1);
  const PageReplacementLock lock;
  if (alone()) {
    range_.reset();  // nobody can reach the addresses: unmaps them
  } else {
    if (Errno error = vacate(); error.failed() && error.value != EPERM) return error;
    if (fills_range()) range_->retire();
    part_.reset();
    range_.reset();
  }
  fd_ = sys::UniqueFd();
  return {};
}

Errno Mapping::vacate() {
  // Without memory of the heap: at the limit of mappings there may be none.
  const auto begin = reinterpret_cast<uintptr_t>(range_->begin());
  const uintptr_t end = reinterpret_cast<uintptr_t>(address_) + length_;
  for (uintptr_t next = end - length_; next < end;) {
    uintptr_t stop = end;
    uintptr_t resume = end;
    static_cast<void>(each_extent(next, end, [&](const Extent& extent) {
      const bool others = !extent.closed && extent.counts != counts_;
      if (others && stop == end) {
        // Another mapping's, which was placed here.
        stop = std::max(extent.start, next);
        resume = extent.end;
      }
      return Errno{};
    }));
    if (stop > next) {
      if (Errno error = range_->vacate(next - begin, stop - next); error.failed()) {
        return error;
      }
    }
    next = resume;
  }
  return {};
}

}  // namespace memmap::core
