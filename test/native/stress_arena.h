// What the threads of the stress test share.
#pragma once

#include <cstddef>

#include "core/mapping/mapping.h"
#include "core/page.h"
#include "witness.h"

namespace memmap::test {

inline constexpr size_t kThreads = 4;
inline constexpr size_t kSlots = 6;    // of each thread
inline constexpr size_t kPages = 8;    // in each slot
inline constexpr size_t kTouched = 1;  // the byte of a page that others write

// What a slot holds while it is open.
enum class Kind { kReadOnlyFile, kFile, kPrivateFile, kMemory };
inline constexpr size_t kKinds = 4;

struct Arena {
  core::Mapping space;
  char* slot(size_t thread, size_t index) const {
    return space.address() + (thread * kSlots + index) * kPages * core::page_size();
  }
};

// Whether all pages begin and end with the byte, from one on.
inline bool all(const char* begin, size_t first, size_t count, char byte) {
  for (size_t i = first; i < count; i++) {
    const char* page = begin + i * core::page_size();
    if (load(page) != byte || load(page + core::page_size() - 1) != byte) return false;
  }
  return true;
}
inline void fill(char* begin, size_t count, char byte) {
  for (size_t i = 0; i < count; i++) {
    store(begin + i * core::page_size(), byte);
    store(begin + (i + 1) * core::page_size() - 1, byte);
  }
}

}  // namespace memmap::test
