// Replacing pages in one step, so that no other thread finds a hole.
//
// All functions: with the page replacement lock held. Async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>

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
// By a private, writable mapping of the file, from `offset` on.
bool replace_by_file(Span span, int fd, uint64_t offset);

// By zeros, where not even the spare mappings make room for another one: the kernel's
// mappings there go first, all of them whole. Whoever maps in that moment may be given
// the addresses; false then, and if there are mappings that reach out of the span.
bool give_up(Span span);

// Where the unreadable end begins of pages that lie in front of one that cannot be read:
// the end of the span if all can.
uintptr_t first_unreadable(Span span, size_t unit);

}  // namespace memmap::core
