// Headroom: the mappings that memmap leaves to the runtime.
//
// The kernel limits the mappings of a process (vm.max_map_count). An engine that meets
// the limit while it grows its heap ends the process, so memmap stops short of it: its
// calls then fail with ENOMEM while there is still room to report that, and to go on.
//
// Threads: any.
#pragma once

#include <cstdint>

namespace memmap::core {

// Of the kernel's limit one part in so many is left to the runtime.
inline constexpr int64_t kShareOfRuntime = 64;

// Whether the process can have `count` more mappings and leave the runtime its share.
// Reads /proc only when as many have been claimed as might matter: close to the limit.
bool claim_mappings(int64_t count);

}  // namespace memmap::core
