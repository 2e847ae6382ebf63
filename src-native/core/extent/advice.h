// madvise(2) on memory of ours.
#pragma once

#include <cstddef>

#include "sys/result.h"

namespace memmap::core {

// After the pages have got back what stray accesses took from them. What
// tells memory at addresses of the engine from others' stays, whatever the advice.
sys::Errno advise(void* address, size_t length, int advice);

}  // namespace memmap::core
