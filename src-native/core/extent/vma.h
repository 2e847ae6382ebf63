// What the kernel says is mapped at an address, as /proc/self/maps has it.
//
// Async-signal-safe: a handler asks before it touches anything.
#pragma once

#include <sys/mman.h>

#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sys/fd.h"
#include "sys/result.h"

namespace memmap::core {

// Room for what the kernel writes: too much for a signal handler's stack.
struct VmaText {
  char path[PATH_MAX];
  char read[1024];  // of /proc/self/maps, before Linux 6.11
};

struct Vma {
  uintptr_t start;
  uintptr_t end;
  bool readable;
  bool writable;
  bool executable;
  bool shared;
  uint32_t device_major;
  uint32_t device_minor;
  uint64_t inode;    // 0: no file
  uint64_t offset;   // of `start`, bytes into the file
  size_t page_size;  // 0: this kernel does not say
  const char* path;  // "" without a name; in the VmaText
};

// As mprotect(2) has it.
inline int protection_of(const Vma& vma) {
  return (vma.readable ? PROT_READ : 0) | (vma.writable ? PROT_WRITE : 0) |
         (vma.executable ? PROT_EXEC : 0);
}

// Memory of memfd_secret(2).
inline bool is_secret(const Vma& vma) {
  return std::strcmp(vma.path, "/secretmem (deleted)") == 0;
}

// Opens /proc/self/maps, once, so that a process without a descriptor left can ask too.
// What open(2) says.
sys::Errno prepare_find_vma();

// False if nothing is mapped there, or the kernel would not say.
bool find_vma(uintptr_t address, Vma& vma, VmaText& text);

// As find_vma, from PROCMAP_QUERY (Linux 6.11) alone, which reads no other mapping and
// gives the path as it is, without escapes. ENOENT if nothing is mapped there.
sys::Errno query_vma(uintptr_t address, Vma& vma, VmaText& text);

// Whether this kernel answers query_vma: the text of many mappings takes milliseconds.
bool has_procmap_query();

// Whether the kernel has one mapping at all of the addresses. Before Linux 6.17 a move
// that replaces other pages has unmapped these by the time it fails for that. Not for a
// handler.
bool is_one_mapping(char* address, size_t length);

// Calls `each` with every mapping of the process, by address, until it answers false.
// False if /proc could not be opened. Not for a handler: takes a descriptor.
bool for_each_vma(VmaText& text, bool (*each)(void* context, const Vma& vma),
                  void* context);

// The file behind a mapping, opened anew by its path with `flags` of open(2). What is no
// regular file is ENOENT.
sys::Result<sys::UniqueFd> open_file_of(const Vma& vma, int flags);

}  // namespace memmap::core
