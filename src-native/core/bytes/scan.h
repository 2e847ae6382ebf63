// Searching bytes. All functions read [bytes, bytes + length) once, forwards.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memmap::core {

// How often `byte` occurs.
size_t count(const unsigned char* bytes, size_t length, unsigned char byte);

// Where `needle` first occurs, or SIZE_MAX.
size_t find(const unsigned char* bytes, size_t length, const unsigned char* needle,
            size_t needle_length);

// Writes where `byte` occurs, at most `capacity` positions, ascending, each less than
// 2^32. Returns how many; stops at `capacity` or after 4 GiB - 1.
size_t positions(const unsigned char* bytes, size_t length, unsigned char byte,
                 uint32_t* out, size_t capacity);

}  // namespace memmap::core
