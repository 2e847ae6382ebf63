// Mappings that the tests ask for, and what is noted of memory that they have mapped
// themselves.
#pragma once

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/extent/vma.h"
#include "core/mapping/address_range.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "temporary.h"

namespace memmap::test {

inline constexpr int kReadWrite = PROT_READ | PROT_WRITE;
inline constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

inline uintptr_t number(const void* address) {
  return reinterpret_cast<uintptr_t>(address);
}

// Private pages of no file.
inline core::Mapping::Request pages(size_t count, void* address = nullptr,
                                    int more_flags = 0) {
  core::Mapping::Request request;
  request.address = address;
  request.length = count * core::page_size();
  request.prot = kReadWrite;
  request.flags = kAnonymous | more_flags;
  return request;
}

// Pages of the file, shared.
inline core::Mapping::Request pages_of(const TemporaryFile& file) {
  core::Mapping::Request request;
  request.length = file.size();
  request.prot = kReadWrite;
  request.flags = MAP_SHARED;
  request.fd = file.fd();
  return request;
}

// Pages that memmap knows nothing of.
inline char* map_foreign(size_t count, int prot = kReadWrite) {
  return static_cast<char*>(
      ::mmap(nullptr, count * core::page_size(), prot, kAnonymous, -1, 0));
}

// Addresses that were free a moment ago, amid more of them: the kernel gives away the
// highest first.
inline char* free_addresses(size_t count) {
  constexpr size_t kAround = 1024;
  char* address = map_foreign(kAround + count + kAround, PROT_NONE);
  ::munmap(address, (kAround + count + kAround) * core::page_size());
  return address + kAround * core::page_size();
}

// While it lives, the kernel lets this process have no more addresses.
class NoAddressSpace {
 public:
  NoAddressSpace() {
    ::getrlimit(RLIMIT_AS, &before_);
    const rlimit none = {1, before_.rlim_max};
    ::setrlimit(RLIMIT_AS, &none);
  }
  ~NoAddressSpace() { ::setrlimit(RLIMIT_AS, &before_); }
  NoAddressSpace(const NoAddressSpace&) = delete;
  NoAddressSpace& operator=(const NoAddressSpace&) = delete;

 private:
  rlimit before_ = {};
};

// What is noted of a mapping with these arguments of mmap(2).
inline core::Extent extent_of(int prot, int flags, int fd = -1) {
  core::Extent extent;
  extent.prot = prot;
  auto backing = core::backing_of(fd, flags, 0);
  if (backing) extent.backing = *backing;
  extent.counts = std::make_shared<core::FaultCounts>();
  return extent;
}

using Owner = core::AddressRange::Owner;

// A range around pages that have just been mapped like this, and noted.
inline std::shared_ptr<core::AddressRange> note(void* address, size_t count, int prot,
                                                int flags, int fd = -1,
                                                Owner owner = Owner::kMemmap) {
  const size_t length = count * core::page_size();
  auto range = core::AddressRange::take(address, length, owner);
  range->fill(range->begin(), length, extent_of(prot, flags, fd));
  return range;
}

// Where the faults at the address are counted; null: nothing is noted there.
inline std::shared_ptr<core::FaultCounts> counts_at(const void* address) {
  const core::PageReplacementLock lock;
  const core::Extent* extent = core::find_extent(number(address));
  return extent == nullptr ? nullptr : extent->counts;
}

// The descriptor that the guard may ask about what is at the address, or -1.
inline int fd_at(const void* address) {
  const core::PageReplacementLock lock;
  const core::Extent* extent = core::find_extent(number(address));
  return extent == nullptr ? -1 : extent->fd;
}

// What find_vma() says of an address.
struct Asked {
  explicit Asked(const void* address)
      : text(std::make_unique<core::VmaText>()),
        found(core::find_vma(number(address), vma, *text)) {}

  core::Vma vma = {};
  std::unique_ptr<core::VmaText> text;
  bool found;
};

}  // namespace memmap::test
