// A slice of a range: the state of each of its pages, to which each source adds.
#pragma once

#include <array>
#include <cstddef>

#include "core/page.h"

namespace memmap::core {

struct PageStates {
  static constexpr size_t kMost = size_t{1} << 14;

  char* address = nullptr;
  size_t count = 0;                  // pages
  std::array<unsigned, kMost> bits;  // core/residency.h
  std::array<int, kMost> nodes;

  size_t length() const { return count * page_size(); }
  bool any(unsigned wanted) const {
    for (size_t page = 0; page < count; ++page) {
      if ((bits[page] & wanted) != 0) return true;
    }
    return false;
  }
  bool all(unsigned wanted) const {
    for (size_t page = 0; page < count; ++page) {
      if ((bits[page] & wanted) == 0) return false;
    }
    return true;
  }
  void add(size_t first, size_t end, unsigned more) {
    for (size_t page = first; page < end; ++page) bits[page] |= more;
  }
};

}  // namespace memmap::core
