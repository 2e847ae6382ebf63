// What the page cache says of the pages of a file: cachestat(2), Linux 6.5. It counts for
// a range; halving ranges until all pages of one are alike finds the pages.
#pragma once

#include "core/residency/page_states.h"
#include "core/residency/residency.h"
#include "sys/abi.h"
#include "sys/result.h"

namespace memmap::core {

// cachestat(2), but EOPNOTSUPP for a file whose pages are persistent memory (DAX): Linux
// up to 6.12 at least takes its entries for those of evicted pages, looks for the control
// group that had them, and crashes, the whole machine with panic_on_oops.
sys::Errno cachestat(int fd, const sys::CachestatRange& range, sys::Cachestat& counts,
                     unsigned flags);

// What decides how the page cache of a file can be asked.
struct FileTraits {
  bool dax = true;       // its pages are, or may be, persistent memory
  long file_system = 0;  // the magic number of statfs(2)
};

// DAX if the kernel does not say.
FileTraits traits_of(int fd);

class PageCache {
 public:
  explicit PageCache(int fd);
  PageCache(int fd, FileTraits traits);

  // Adds what it knows of the file's pages from `offset` on, and says which bits that can
  // be: none where the kernel does not tell, or not us. Not of pages that a mapping has
  // of its own. Which pages are in the cache it finds if all of them are alike, or it
  // must.
  unsigned read(PageStates& pages, int64_t offset, bool must_find_resident);

  // Pages may be in swap without a page table's showing it, and the kernel does not tell.
  bool hides_swap() const { return hides_swap_; }

 private:
  // The bits that are decided; 0 if the kernel would not tell. `halve`: those that are
  // worth more calls.
  unsigned find(PageStates& pages, int64_t offset, unsigned wanted, unsigned halve) const;

  int fd_;                // -1: no file, or it does not tell
  unsigned evicted_ = 0;  // the bits of an evicted page
  bool hides_swap_ = false;
};

// Whether the kernel only claims that pages of this file are resident: mincore(2) says so
// of all pages of a file which the process neither owns nor may write. Asked about a page
// past the end of the file, where none can be.
bool fakes_residency(int fd);

}  // namespace memmap::core
