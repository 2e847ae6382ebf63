// The stash: the pages of a mapping that the guard has taken out of the way of a stray
// access. They are the mapping's, and go back when access is given.
//
// All functions: with the page replacement lock held. Async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sys/result.h"

namespace memmap::core {

// Stashed pages, in a list of its owner's.
struct Stash {
  Stash* next;
  uintptr_t origin;  // the address they belong at
  char* pages;
  size_t length;  // bytes
  bool copied;    // copies: those at the origin may be changed
};

// Prepares what a handler must not: room for the records. Once, before the others.
sys::Errno prepare_stash();

// Moves private pages away. Empty ones of the same kind stay in their place; nobody could
// read them. False if this kernel cannot: Linux 5.7, for files 5.13.
bool stash_pages(Stash*& list, uintptr_t start, size_t length);
// Keeps a second mapping of shared pages, and leaves those at the origin as they are.
bool stash_shared(Stash*& list, uintptr_t start, size_t length);
// Keeps a copy of what can be read, pages of `unit` bytes, and leaves the pages as they
// are.
bool stash_copy(Stash*& list, uintptr_t start, size_t length, size_t unit);

// Puts all that was stashed back where it belongs, which the caller has protected: nobody
// writes there meanwhile. On failure what is not back yet is still stashed.
sys::Errno unstash(Stash*& list);
// Frees what was stashed.
void drop_stash(Stash*& list);

// What has been stashed at the address, of whatever mapping, or null: not by its origin.
const Stash* find_stash(uintptr_t address);

// Copies what can be read of [from, from + length) to `to`, and leaves out pages of
// `unit` bytes that cannot.
void copy_readable(char* to, uintptr_t from, size_t length, size_t unit);

}  // namespace memmap::core
