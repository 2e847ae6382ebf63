#include "core/residency.h"

#include <array>

#include "core/page.h"
#include "sys/memory.h"

namespace memmap::core {

sys::Result<std::vector<Run>> resident_runs(char* address, size_t length) {
  constexpr size_t kPagesAtOnce = size_t{1} << 14;
  std::array<unsigned char, kPagesAtOnce> vec;
  std::vector<Run> runs;
  const size_t page = page_size();
  for (size_t done = 0; done < length;) {
    size_t left = length - done;
    size_t slice = left < kPagesAtOnce * page ? left : kPagesAtOnce * page;
    sys::Errno error = sys::mincore(address + done, slice, vec.data());
    if (error.value == EAGAIN) continue;  // the kernel is short of memory for a moment
    if (error.failed()) return error;
    for (size_t at = 0; at < slice; at += page) {
      if ((vec[at / page] & 1) == 0) continue;
      const uint64_t offset = done + at;
      if (!runs.empty() && runs.back().offset + runs.back().length == offset) {
        runs.back().length += page;
      } else {
        runs.push_back({offset, page});
      }
    }
    done += slice;
  }
  return runs;
}

}  // namespace memmap::core
