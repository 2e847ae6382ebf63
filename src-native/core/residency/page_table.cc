#include "core/residency/page_table.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "core/residency/residency.h"
#include "sys/abi.h"
#include "sys/file.h"

namespace memmap::core {
namespace {

// A page that is mapped and no page of a file is a copy, or anonymous; so is one in swap.
unsigned bits_of(bool present, bool swapped, bool file) {
  if (swapped) return kSwapped | kPrivate;
  if (!present) return 0;
  return kMapped | (file ? 0 : kPrivate);
}

}  // namespace

PageTable::PageTable() {
  sys::Result<sys::UniqueFd> opened =
      sys::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
  if (opened) pagemap_ = std::move(*opened);
}

unsigned PageTable::read(PageStates& pages) {
  constexpr unsigned kKnown = kMapped | kSwapped | kPrivate;
  if (!pagemap_.valid()) return 0;
  if (scans_ && scan(pages)) return kKnown | kHuge;
  scans_ = false;
  return read_entries(pages) ? kKnown : 0;
}

bool PageTable::scan(PageStates& pages) const {
  std::array<sys::PageRegion, 256> regions;
  const auto start = reinterpret_cast<uintptr_t>(pages.address);
  sys::PagemapScan request = {};
  request.size = sizeof request;
  request.start = start;
  request.end = start + pages.length();
  request.vec = reinterpret_cast<uintptr_t>(regions.data());
  request.vec_length = regions.size();
  request.category_anyof_mask = sys::kPageIsPresent | sys::kPageIsSwapped;
  request.return_mask = request.category_anyof_mask | sys::kPageIsFile | sys::kPageIsHuge;
  while (request.start < request.end) {
    sys::Result<int> found = sys::pagemap_scan(pagemap_.get(), request);
    if (!found) return false;
    for (int i = 0; i < *found; ++i) {
      const auto& [from, to, categories] = regions[static_cast<size_t>(i)];
      unsigned bits = bits_of((categories & sys::kPageIsPresent) != 0,
                              (categories & sys::kPageIsSwapped) != 0,
                              (categories & sys::kPageIsFile) != 0);
      if ((categories & sys::kPageIsHuge) != 0) bits |= kHuge;
      // A huge page may begin before the slice.
      pages.add((std::max<uint64_t>(from, start) - start) / page_size(),
                (std::min(to, request.end) - start) / page_size(), bits);
    }
    if (request.walk_end <= request.start) return false;
    request.start = request.walk_end;
  }
  return true;
}

bool PageTable::read_entries(PageStates& pages) const {
  std::array<uint64_t, 512> entries;
  const uintptr_t first = reinterpret_cast<uintptr_t>(pages.address) / page_size();
  for (size_t page = 0; page < pages.count;) {
    const size_t wanted = std::min(entries.size(), pages.count - page) * sizeof(uint64_t);
    sys::Result<ssize_t> got =
        sys::pread(pagemap_.get(), entries.data(), wanted,
                   static_cast<int64_t>((first + page) * sizeof(uint64_t)));
    if (!got || *got < static_cast<ssize_t>(sizeof(uint64_t))) return false;
    for (size_t i = 0; i < static_cast<size_t>(*got) / sizeof(uint64_t); ++i) {
      pages.bits[page++] |= bits_of((entries[i] & sys::kPagemapPresent) != 0,
                                    (entries[i] & sys::kPagemapSwapped) != 0,
                                    (entries[i] & sys::kPagemapFile) != 0);
    }
  }
  return true;
}

}  // namespace memmap::core
