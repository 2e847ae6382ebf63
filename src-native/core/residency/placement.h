// Which NUMA node the pages of a range lie on, and moving them to another, in batches:
// a range may be as long as memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sys/result.h"

namespace memmap::core {

// Pages of `unit` bytes, the last of which may be cut off.
struct PageRange {
  char* address;
  size_t length;
  size_t unit;

  size_t count() const { return length / unit + (length % unit == 0 ? 0 : 1); }
};

// Fills `nodes`, one entry a page, with the page's node or a negative errno: ENOENT or,
// before Linux 6.12, EFAULT if this process has no page there, EFAULT for the page of
// zeros that all share.
sys::Errno nodes_of(const PageRange& pages, int32_t* nodes);

// Pages, by where they are afterwards.
struct Migration {
  size_t moved = 0;  // on the node, be it from before
  size_t absent = 0;
  size_t failed = 0;
};

// Moves the pages that are in memory to `node`, as far as they can be moved.
sys::Result<Migration> migrate(const PageRange& pages, int node);

}  // namespace memmap::core
