// What the threads of the stress share: settings, and the slots of each.
#pragma once
#include <stdlib.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "core/mapping.h"
#include "core/page.h"
#include "temporary.h"
#include "witness.h"

namespace memmap::test {

using memmap::core::Mapping;
using memmap::core::page_size;

constexpr size_t kThreads = 4;
constexpr size_t kSlots = 6;    // of each thread
constexpr size_t kPages = 8;    // in each slot
constexpr size_t kTouched = 1;  // the byte of a page that others write

inline long setting(const char* name, long otherwise) {
  const char* text = ::getenv(name);
  return text == nullptr ? otherwise : std::atol(text);
}

// What a slot holds while it is open.
enum class Kind { kReadOnlyFile, kFile, kPrivateFile, kMemory };
constexpr size_t kKinds = 4;

struct Arena {
  Mapping space;
  char* slot(size_t thread, size_t index) const {
    return space.address() + (thread * kSlots + index) * kPages * page_size();
  }
};

}  // namespace memmap::test
