// A mapping that faults, and what the guard has counted in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/extent/fault_counts.h"
#include "core/mapping/mapping.h"
#include "core/page.h"

namespace memmap::test {

class Subject {
 public:
  Subject(size_t pages, int prot, int flags, int fd = -1) {
    core::Mapping::Request request;
    request.length = pages * core::page_size();
    request.prot = prot;
    request.flags = flags;
    request.fd = fd;
    auto made = core::Mapping::create(request);
    if (made) mapping_ = std::move(*made);
  }

  char* at(size_t page) { return mapping_.address() + page * core::page_size(); }
  size_t length() const { return mapping_.length(); }
  core::Mapping& mapping() { return mapping_; }
  const core::FaultCounts& counts() const { return *mapping_.counts(); }
  uint32_t all() const { return counts().all; }

  // Whether these faults of the kind are all that was counted, the last of them over
  // these pages.
  bool counted(core::FaultKind kind, uint32_t times, size_t first_page,
               size_t pages) const {
    const auto which = static_cast<size_t>(kind);
    return fixed_up() && counts().all == times && counts().counts[which] == times &&
           counts().offsets[which] == first_page * core::page_size() &&
           counts().lengths[which] == pages * core::page_size();
  }

  bool fixed_up() const {
    size_t lost_from = 0;
    return mapping_.fixed_up(lost_from);
  }
  // Where the lost end of the file begins: bytes from the first page.
  size_t lost_from() const {
    size_t lost_from = 0;
    static_cast<void>(mapping_.fixed_up(lost_from));
    return lost_from;
  }

  sys::Errno protect(int prot) {
    return mapping_.range()->protect(
        static_cast<size_t>(mapping_.address() - mapping_.range()->begin()), length(),
        prot);
  }

 private:
  core::Mapping mapping_;
};

}  // namespace memmap::test
