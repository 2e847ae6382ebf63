// What the kernel knows of the pages of a range, as runs of pages that are alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sys/result.h"

namespace memmap::core {

// Bits of a page's state.
inline constexpr unsigned kResident = 1 << 0;  // in memory: reading it needs no disk
inline constexpr unsigned kMapped = 1 << 1;  // in the page tables: needs no fault either
inline constexpr unsigned kSwapped = 1 << 2;
inline constexpr unsigned kHuge = 1 << 3;  // mapped as a part of a huge page
inline constexpr unsigned kDirty = 1 << 4;
inline constexpr unsigned kWriteback = 1 << 5;
inline constexpr unsigned kEvicted = 1 << 6;
inline constexpr unsigned kRecentlyEvicted = 1 << 7;
inline constexpr unsigned kPrivate =
    1 << 8;  // a copy of this mapping's own: no file's page

struct PageRun {
  uint64_t length;  // bytes
  unsigned state;
  int node;  // NUMA; negative: not known
  bool like(unsigned other_state, int other_node) const {
    return state == other_state && node == other_node;
  }
};

struct Residency {
  unsigned known = 0;  // which bits the kernel could tell
  bool faked = false;  // kResident without kMapped is but a claim
  std::vector<PageRun>
      runs;  // one after the other, from the start to the end of the range
};

struct FileTraits;

// The file behind a range; fd -1: none, or none that can be opened.
struct FileBehind {
  int fd = -1;
  int64_t offset = 0;  // of the first page, bytes into the file
  bool fresh = false;  // the range was mapped for this: no page table holds any of it
  const FileTraits* traits = nullptr;  // null: the kernel is asked
  // What mincore(2) has said of the range a moment ago; null: it is asked.
  const unsigned char* seen = nullptr;
};

// Memory to work in, 200 KiB, for many calls of residency() on one thread.
class ResidencyScratch {
 public:
  ResidencyScratch();
  ~ResidencyScratch();
  ResidencyScratch(const ResidencyScratch&) = delete;
  ResidencyScratch& operator=(const ResidencyScratch&) = delete;

  struct Parts;
  Parts& parts() { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

// mincore(2): a byte for each page, of which bit 0 counts.
sys::Errno residents(char* address, size_t length, unsigned char* vec);

// The pages of [address, address + length). Looks at a slice at a time, so that a sparse
// 100 GiB mapping takes no memory of its own. `nodes`: also where mapped pages are.
sys::Result<Residency> residency(char* address, size_t length, FileBehind file,
                                 bool nodes);
sys::Result<Residency> residency(char* address, size_t length, FileBehind file,
                                 bool nodes, ResidencyScratch& scratch);

}  // namespace memmap::core
