#include "core/replacement/spare_mappings.h"

#include <sys/mman.h>

#include <cstddef>

#include "core/page.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

// Each is two pages of different protection, so that neighbours do not merge: two
// mappings of the kernel. What one call needs at most is three.
constexpr size_t kSpares = 16;

char* spares[kSpares] = {};
size_t held = 0;
bool asked = false;  // whether they have been made once

}  // namespace

void fill_spares() {
  if (held == kSpares) return;
  // After the first time: only once there is room for all, or the next call would meet
  // the limit in their place.
  const size_t before = held;
  while (held < kSpares) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    sys::Result<void*> made =
        sys::mmap(nullptr, 2 * page_size(), PROT_NONE, kFlags, -1, 0);
    if (!made) break;
    char* pages = static_cast<char*>(*made);
    if (sys::mprotect(pages, page_size(), PROT_READ).failed()) {
      static_cast<void>(sys::munmap(pages, 2 * page_size()));
      break;
    }
    spares[held] = pages;
    held += 1;
  }
  if (asked && held < kSpares) {
    while (held > before) give_up_spares();
  }
  asked = true;
}

bool give_up_spares() {
  if (held == 0) return false;
  held -= 1;
  static_cast<void>(sys::munmap(spares[held], 2 * page_size()));
  return true;
}

}  // namespace memmap::core
