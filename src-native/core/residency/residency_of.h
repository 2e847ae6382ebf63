// The residency of a file that is not mapped, in one call: of an ordinary file only. What
// is none, or fails, is a question for a mapping, which has the words for it.
#pragma once

#include <cstdint>

#include "core/residency/residency.h"
#include "sys/result.h"

namespace memmap::core {

struct FileQuestion {
  const char* path = nullptr;  // or null, and
  int fd = -1;                 // a descriptor of the caller's, left open
  int64_t offset = 0;          // bytes into the file, any alignment
  int64_t length = -1;         // bytes; -1: to the end of the file
};

// Runs from the page that holds `offset` to the one that holds the last byte; the length
// is filled in. EINVAL: not a regular file, huge pages, nothing to look at, or past the
// end. Nothing is read in, opened or mapped when it returns. Opens nothing but regular
// files: to open a device or a fifo can do something.
sys::Result<Residency> residency_of(FileQuestion& question);

// Whether files of the file system have pages, of the usual size. `magic`: statfs(2).
bool has_small_pages(long magic);

}  // namespace memmap::core
