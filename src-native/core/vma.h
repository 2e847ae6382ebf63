// What the kernel says is mapped at an address, as /proc/self/maps has it.
//
// Async-signal-safe: a handler asks before it touches anything.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sys/fd.h"
#include "sys/result.h"

namespace memmap::core {

struct Vma {
  uintptr_t start;
  uintptr_t end;
  bool readable;
  bool writable;
  bool executable;
  bool shared;
  uint32_t device_major;
  uint32_t device_minor;
  uint64_t inode;       // 0: no file
  uint64_t offset;      // of `start`, bytes into the file
  size_t page_size;     // 0: this kernel does not say
  char path[PATH_MAX];  // "" without a name
};

// Memory of memfd_secret(2).
inline bool is_secret(const Vma& vma) {
  return std::strcmp(vma.path, "/secretmem (deleted)") == 0;
}

// Opens /proc/self/maps, once, so that a process without a descriptor left can ask too.
void prepare_find_vma();

// False if nothing is mapped there, or the kernel would not say.
bool find_vma(uintptr_t address, Vma& vma);

// As find_vma, from PROCMAP_QUERY (Linux 6.11) alone, which reads no other mapping and
// gives the path as it is, without escapes. ENOENT if nothing is mapped there.
sys::Errno query_vma(uintptr_t address, Vma& vma);

// The file behind a mapping, opened anew by its path with `flags` of open(2). ENOENT if
// the path leads to another file now, or nowhere.
sys::Result<sys::UniqueFd> open_file_of(const Vma& vma, int flags);

}  // namespace memmap::core
