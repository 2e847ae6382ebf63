// Making stores to persistent memory durable: MAP_SYNC mappings of DAX files, where a
// store that has left the processor's caches is on the medium.
#pragma once

#include <cstddef>

namespace memmap::core {

// The instruction that writes cache lines back: "clwb", "clflushopt", "clflush", "dc
// cvap"; null if this processor has none, or none that reaches memory.
const char* write_back_instruction();

// Writes back the lines of [address, address + length) and waits until that is done.
// Needs a write_back_instruction().
void write_back(const char* address, size_t length);

}  // namespace memmap::core
