// Pages for a moment, to try something on: no range of this library, unknown to the
// guard, and not to be touched.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sys/result.h"

namespace memmap::core {

class ScratchPages {
 public:
  // The arguments of mmap(2), but for the address.
  ScratchPages(size_t length, int prot, int flags, int fd = -1, int64_t offset = 0);
  // Pages that some call has made.
  ScratchPages(void* address, size_t length) : address_(address), length_(length) {}
  ScratchPages(const ScratchPages&) = delete;
  ScratchPages& operator=(const ScratchPages&) = delete;
  ~ScratchPages();

  // Maps a part of a file at `at`, over what was mapped there before: one system call
  // where munmap(2) and mmap(2) are two. `at` begins a page, and the pages from there are
  // enough.
  sys::Errno show(size_t at, size_t length, int prot, int flags, int fd, int64_t offset);

  sys::Errno error() const { return error_; }
  char* address() const { return static_cast<char*>(address_); }

 private:
  void* address_ = nullptr;  // null: there are none
  size_t length_;
  sys::Errno error_;
};

}  // namespace memmap::core
