// madvise(2) on memory of ours.
#pragma once

#include <cstddef>

#include "sys/result.h"

namespace memmap::core {

// ENOMEM over closed pages, as over what is not mapped. What tells memory at addresses of
// the engine from others' stays, whatever the advice. The caller has given the pages back
// what stray accesses took: own_pages_in().
sys::Errno advise(void* address, size_t length, int advice);

}  // namespace memmap::core
