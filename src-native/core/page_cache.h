// What the page cache says of the pages of a file: cachestat(2), Linux 6.5. It counts for
// a range; halving ranges until all pages of one are alike finds the pages.
#pragma once

#include "core/page_states.h"
#include "core/residency.h"

namespace memmap::core {

class PageCache {
 public:
  explicit PageCache(int fd);

  // Adds what it knows of the file's pages from `offset` on, and says which bits that can
  // be: none where the kernel does not tell, or not us. Not of copies that a mapping has.
  // `resident`: pages in the cache, too.
  unsigned read(PageStates& pages, int64_t offset, bool resident);

 private:
  bool find(PageStates& pages, int64_t offset, unsigned wanted) const;

  int fd_;                // -1: no file, or it does not tell
  unsigned evicted_ = 0;  // the bits of an evicted page
};

// Whether the kernel only claims that pages of this file are resident: mincore(2) says so
// of all pages of a file which the process neither owns nor may write. Asked about a page
// past the end of the file, where none can be.
bool fakes_residency(int fd);

}  // namespace memmap::core
