// Page arithmetic: the only place where ranges are rounded and compared.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace memmap::core {

// Bytes in a page of this machine: 4 KiB on x86-64, 4 to 64 KiB on arm64.
inline size_t page_size() {
  static const size_t size = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

// Whether [offset, offset + length) lies in [0, size).
// Subtract, never add: offset + length can wrap.
constexpr bool within(size_t offset, size_t length, size_t size) {
  return offset <= size && length <= size - offset;
}

// Whether [a, a + a_length) and [b, b + b_length) have a byte in common.
constexpr bool overlap(size_t a, size_t a_length, size_t b, size_t b_length) {
  return a <= b ? b - a < a_length && b_length > 0 : a - b < b_length && a_length > 0;
}

// The multiple of `unit`, a power of two, at or above `length`; 0 if there is none.
constexpr size_t round_up(size_t length, size_t unit) {
  if (length > SIZE_MAX - (unit - 1)) return 0;
  return (length + unit - 1) & ~(unit - 1);
}

// The multiple of `unit`, a power of two, at or below `offset`.
constexpr size_t round_down(size_t offset, size_t unit) { return offset & ~(unit - 1); }

}  // namespace memmap::core
