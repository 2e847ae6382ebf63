// Which pages are in memory, as runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sys/result.h"

namespace memmap::core {

struct Run {
  uint64_t offset;  // bytes from the start of the range
  uint64_t length;  // bytes
};

// The runs of resident pages of [address, address + length), whole pages, ascending and
// apart from each other. Asks mincore(2) for a slice at a time, so that a sparse 100 GiB
// mapping takes no memory of its own.
sys::Result<std::vector<Run>> resident_runs(char* address, size_t length);

}  // namespace memmap::core
