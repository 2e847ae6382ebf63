// XXH32: https://xxhash.com, in our own words.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memmap::core {

// Of [bytes, bytes + length), at any alignment. Reads each byte once.
uint32_t xxh32(const unsigned char* bytes, size_t length, uint32_t seed);

}  // namespace memmap::core
