// Mapping: pages placed in a range of addresses, alone in it (create) or inside a
// larger one (a reservation, a MAP_FIXED replacement).
//
// Threads: one thread at a time. Background jobs take Mapping::range() and addresses,
// not the Mapping.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/mapping/address_range.h"
#include "core/mapping/placed_part.h"
#include "core/page.h"
#include "sys/fd.h"
#include "sys/result.h"

namespace memmap::core {

class Mapping {
 public:
  // The arguments of mmap(2).
  struct Request {
    void* address = nullptr;
    size_t length = 0;
    int prot = 0;
    int flags = 0;
    int fd = -1;
    int64_t offset = 0;
    // What is known of the file already; without it `fd` is asked.
    std::optional<Backing> backing = std::nullopt;
  };

  // MAP_FIXED replaces pages only inside one range of this library; over anything else
  // that is mapped it fails with EEXIST, over free addresses it maps.
  static sys::Result<Mapping> create(const Request& request);
  // Addresses without pages, to map into with MAP_FIXED. The guard leaves faults there
  // alone: no buffer can be over them.
  static sys::Result<Mapping> reserve(size_t length);

  Mapping() = default;  // no pages
  Mapping(Mapping&& other) noexcept { swap(other); }
  Mapping& operator=(Mapping&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Mapping();

  // Pages of a range that have been noted already.
  Mapping(std::shared_ptr<AddressRange> range, char* address, size_t length);

  char* address() const { return address_; }
  size_t length() const { return length_; }  // bytes, whole pages
  // For whoever is to keep the addresses: see AddressRange, PlacedPart.
  std::shared_ptr<AddressRange> range() const {
    if (part_ == nullptr) return range_;
    return std::shared_ptr<AddressRange>(part_, range_.get());
  }
  // The descriptor kept for later, if any: a memfd's, an unlinked file's.
  int fd() const { return fd_.get(); }
  void keep(sys::UniqueFd fd);
  // Where the guard counts the mapping's faults. Null without pages.
  const std::shared_ptr<FaultCounts>& counts() const { return counts_; }

  // The address of a part, or null if it leaves the mapping.
  char* at(size_t offset, size_t length) const;

  // Moves the pages onto `address`, where the runtime holds a buffer of `length` bytes.
  // The address must be page aligned. EFAULT if some of the pages have been unmapped.
  sys::Errno overlay(void* address);

  // Gives the mapping another length, rounded up to whole pages. Where a buffer can
  // reach the old addresses, the pages move to new ones and the old ones are vacated.
  // EFAULT if pages that it keeps have been unmapped.
  sys::Errno resize(size_t length);

  // Empties the addresses, or unmaps them if nobody else can reach them. On failure
  // (the kernel's mapping limit) nothing has changed.
  sys::Errno close();

  // Undoes what the guard did to the pages. With a `file` they are mapped anew from it,
  // at `offset`, all of them or only the lost end: what else a private mapping holds is
  // its own.
  struct Source {
    int file = -1;
    int64_t offset = 0;
    int flags = 0;  // of mmap(2)
    bool lost_end_only = false;
  };
  // EINVAL unless it is the same file, mapped alike from the same offset.
  sys::Errno restore(const Source& source, int prot);
  // Maps all pages anew from source.file, in place. `keep_own`: pages that a private
  // mapping has written stay what they are. EBUSY, and nothing has happened, while the
  // guard has replaced some. After another error some pages may be the old ones still.
  sys::Errno renew(const Source& source, int prot, bool keep_own);

  // Whether the guard has replaced pages that are not back yet, and where the lost end of
  // the file begins: bytes from the first page, SIZE_MAX if nothing is lost.
  bool fixed_up(size_t& lost_from) const;

 private:
  void swap(Mapping& other) noexcept;
  bool fills_range() const { return length_ == range_->length(); }
  // Whether nothing but this object can reach the addresses.
  bool alone() const;
  // Whether none of its first pages has been unmapped, `length` bytes of them.
  bool has_all(size_t length) const;
  void settle(std::shared_ptr<AddressRange> range);
  // Closes the pages that are of this mapping: others may have been placed among them.
  sys::Errno vacate();
  // EINVAL unless the source is what the guard knows of the pages.
  sys::Errno refuse_another(const Source& source) const;
  // What restore() does with the pages of [start, end).
  sys::Errno restore_from(const Source& source, int prot, uintptr_t start, uintptr_t end,
                          bool keep_own = false);
  void restore_blocks(const Source& source, uintptr_t end);
  // The descriptor that the guard may ask; -1: none.
  void show_fd(int fd);

  std::shared_ptr<AddressRange> range_;
  std::shared_ptr<PlacedPart> part_;  // of a reservation
  char* address_ = nullptr;
  size_t length_ = 0;
  size_t unit_ = page_size();
  std::shared_ptr<FaultCounts> counts_;
  sys::UniqueFd fd_;
};

}  // namespace memmap::core
