// The residency of many files that are not mapped, in one call. Safe on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/residency/residency.h"
#include "core/residency/touch.h"
#include "sys/result.h"

namespace memmap::core {

// What was found of a file.
struct Surveyed {
  // Failed: only a mapping can answer, or give the right error.
  sys::Errno error;
  int64_t size = 0;  // bytes in the file
  int64_t modified_seconds = 0;
  uint32_t modified_nanoseconds = 0;
  // Which file it is, of one that has several names; of others 0.
  uint64_t device = 0;
  uint64_t inode = 0;
  // From the page that holds the start of the part to the one that holds its last byte;
  // no runs if the part is empty.
  Residency residency;
};

// Looks at `part` of each file, as far as the file has it. `paths`: each with a NUL
// behind it. Once as many pages as in 1 GiB were looked at, no further file is begun, so
// the result may be shorter than the list; it has one file at least. Nothing is read in,
// and nothing but regular files is opened: to open a device or a fifo can do something.
std::vector<Surveyed> survey(const std::string& paths, FilePart part);

}  // namespace memmap::core
