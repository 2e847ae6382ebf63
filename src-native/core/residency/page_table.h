// What the page tables of the process say of pages: /proc/self/pagemap.
#pragma once

#include "core/residency/page_states.h"
#include "sys/fd.h"

namespace memmap::core {

class PageTable {
 public:
  PageTable();

  // Adds what it knows, and says which bits that can be: none without /proc. Only the
  // newer of the kernel's two answers (Linux 6.7) tells of huge pages, and skips holes
  // quickly.
  unsigned read(PageStates& pages);

 private:
  bool scan(PageStates& pages) const;
  bool read_entries(PageStates& pages) const;

  sys::UniqueFd pagemap_;
  bool scans_ = true;
};

}  // namespace memmap::core
