#include "core/replacement/replacement.h"

#include "core/replacement/spare_mappings.h"
#include "core/replacement/stash.h"
#include "sys/abi.h"
#include "sys/memory.h"
#include "sys/signal.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

void* at(uintptr_t address) { return reinterpret_cast<void*>(address); }

// After mlockall(2) MCL_FUTURE a mapping may be more than the process may lock: rather
// nothing is locked any more than that an access ends the process.
template <typename Map>
Result<void*> map_unlocked(Map map) {
  Result<void*> mapped = map();
  if (mapped || mapped.error().value != EAGAIN) return mapped;
  static_cast<void>(sys::munlockall());
  return map();
}

}  // namespace

bool replace_by_zeros(Span span) {
  const auto zeros = [&](int prot) {
    return map_unlocked([&] {
      return sys::mmap(at(span.start), span.length(), prot, kAnonymous | MAP_FIXED, -1,
                       0);
    });
  };
  if (zeros(kReadWrite)) return true;
  // Under strict overcommit writable memory is charged, read-only memory never.
  if (zeros(PROT_READ)) return true;
  // At the limit of mappings neither goes.
  return bool{with_spares([&] { return zeros(kReadWrite); })};
}

bool replace_by_copy(Span span, size_t unit) {
  const size_t length = span.length();
  Result<void*> copy = map_unlocked([&] {
    return with_spares(
        [&] { return sys::mmap(nullptr, length, kReadWrite, kAnonymous, -1, 0); });
  });
  if (!copy) return false;
  copy_readable(static_cast<char*>(*copy), span.start, length, unit);
  return !replace_by_pages(span, *copy).failed();
}

// Not mapped where it shall be: the kernel unmaps what is there before it asks whether
// there is memory for the pages.
Errno replace_by_file(Span span, int prot, int flags, int fd, int64_t offset) {
  const size_t length = span.length();
  Result<void*> made =
      with_spares([&] { return sys::mmap(nullptr, length, prot, flags, fd, offset); });
  if (made && !replace_by_pages(span, *made).failed()) return {};
  // At the limit of mappings there is room for it in place of what is there, if anywhere.
  bool emptied = false;
  Result<void*> mapped = replace_by_mapping(span, prot, flags, fd, offset, emptied);
  if (mapped) return {};
  if (emptied) static_cast<void>(replace_by_zeros(span));
  return mapped.error();
}

Errno replace_by_pages(Span span, void* made) {
  const size_t length = span.length();
  constexpr int kFlags = MREMAP_MAYMOVE | MREMAP_FIXED;
  Result<void*> moved = with_spares(
      [&] { return sys::mremap(made, length, length, kFlags, at(span.start)); });
  if (moved) return {};
  static_cast<void>(sys::munmap(made, length));
  return moved.error();
}

Result<void*> replace_by_mapping(Span span, int prot, int flags, int fd, int64_t offset,
                                 bool& emptied) {
  Result<void*> mapped =
      sys::mmap(at(span.start), span.length(), prot, flags | MAP_FIXED, fd, offset);
  emptied = false;
  if (mapped) return mapped;
  // EEXIST where nothing has been unmapped. Linux before 4.17 takes it for a hint.
  constexpr int kFlags = kAnonymous | MAP_FIXED_NOREPLACE;
  Result<void*> held = sys::mmap(at(span.start), span.length(), PROT_NONE, kFlags, -1, 0);
  if (!held) return mapped;
  emptied = *held == at(span.start);
  if (!emptied) static_cast<void>(sys::munmap(*held, span.length()));
  return mapped;
}

bool give_up(Span span) {
  if (sys::munmap(at(span.start), span.length()).failed()) return false;
  constexpr int kTries = 1000;
  constexpr int kFlags = kAnonymous | MAP_FIXED_NOREPLACE;
  for (int tries = 0; tries < kTries; ++tries) {
    Result<void*> zeros = map_unlocked([&] {
      return sys::mmap(at(span.start), span.length(), kReadWrite, kFlags, -1, 0);
    });
    if (zeros) return *zeros == at(span.start);
    if (zeros.error().value != ENOMEM) return false;
    sys::sched_yield();
  }
  return false;
}

uintptr_t first_unreadable(Span span, size_t unit) {
  size_t low = 0;  // pages before it can be read
  size_t high = span.length() / unit;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (sys::readable(at(span.start + middle * unit))) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return span.start + low * unit;
}

}  // namespace memmap::core
