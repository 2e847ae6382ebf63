// A mapping that faults, and what the guard has counted in it.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/fault_slots.h"
#include "core/mapping.h"
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
  core::FaultSlot& slot() { return core::fault_slot(mapping_.slot()); }

  // Whether these faults of the kind are all that was counted, the last of them over
  // these pages.
  bool counted(core::FaultKind kind, uint32_t times, size_t first_page, size_t pages) {
    const auto which = static_cast<size_t>(kind);
    return slot().all == times && slot().counts[which] == times && slot().mended &&
           slot().offsets[which] == first_page * core::page_size() &&
           slot().lengths[which] == pages * core::page_size();
  }

  void protect(int prot) {
    core::expect_protected(mapping_.slot());
    ::mprotect(mapping_.address(), mapping_.length(), prot);
  }

 private:
  core::Mapping mapping_;
};

}  // namespace memmap::test
