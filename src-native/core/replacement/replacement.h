// Replacing pages in one step, so that no other thread finds a hole.
//
// All functions: with the page replacement lock held. Async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sys/result.h"

namespace memmap::core {

// Whole pages.
struct Span {
  uintptr_t start;
  uintptr_t end;
  size_t length() const { return end - start; }
};

// What mlockall(2) forbids to map is mapped all the same, by unlocking all.

// By zeros that can be written: read-only where no more writable memory is to be had.
bool replace_by_zeros(Span span);
// By a private copy, in pages of `unit` bytes: zeros where they cannot be read.
bool replace_by_copy(Span span, size_t unit);
// By a mapping of the file; the arguments are those of mmap(2).
sys::Errno replace_by_file(Span span, int prot, int flags, int fd, int64_t offset);
// By pages that have just been mapped elsewhere, by one call. On failure they are
// unmapped, and what was there stays.
sys::Errno replace_by_pages(Span span, void* made);
// By what mmap(2) maps there with MAP_FIXED. The kernel may unmap what was there before
// it finds that it cannot: then pages without access are there, and `emptied` is true.
sys::Result<void*> replace_by_mapping(Span span, int prot, int flags, int fd,
                                      int64_t offset, bool& emptied);

// By zeros, where not even the spare mappings make room for another one: the kernel's
// mappings there go first, all of them whole. Whoever maps in that moment may be given
// the addresses; false then, and if there are mappings that reach out of the span.
bool give_up(Span span);

// Where the unreadable end begins of pages that lie in front of one that cannot be read:
// the end of the span if all can.
uintptr_t first_unreadable(Span span, size_t unit);

}  // namespace memmap::core
