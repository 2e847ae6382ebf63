// Closing pages that views can still reach.
#pragma once

#include <cstddef>

#include "sys/result.h"

namespace memmap::core {

// Replaces [address, address + length) by closed pages, whatever is in the way: at the
// limit of mappings the pages stay, without access, and `stays` is set; without the
// memfd, zero pages. With the page replacement lock held.
sys::Errno replace_by_closed(char* address, size_t length, bool& stays);

}  // namespace memmap::core
