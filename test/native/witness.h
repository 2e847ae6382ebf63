// What the kernel says: /proc/self/maps, mincore(2), /proc/self/fd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace memmap::test {

// A line of /proc/self/maps.
struct Vma {
  uintptr_t start = 0;
  uintptr_t end = 0;
  char permissions[5] = "";  // "rw-p"; empty: nothing is mapped there
  uint64_t inode = 0;
  std::string path;

  bool mapped() const { return end != 0; }
};

// What is mapped at the address.
inline Vma vma_at(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  char line[4400];
  Vma found;
  while (maps != nullptr && std::fgets(line, sizeof line, maps) != nullptr) {
    Vma vma;
    char path[4097] = "";
    unsigned long inode = 0;
    std::sscanf(line, "%lx-%lx %4s %*s %*s %lu %4096[^\n]", &vma.start, &vma.end,
                vma.permissions, &inode, path);
    if (wanted < vma.start || wanted >= vma.end) continue;
    vma.inode = inode;
    vma.path = path;
    found = vma;
    break;
  }
  if (maps != nullptr) std::fclose(maps);
  return found;
}

// How many mappings the process has.
inline size_t count_mappings() {
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  size_t lines = 0;
  for (int byte = 0; maps != nullptr && (byte = std::fgetc(maps)) != EOF;) {
    if (byte == '\n') lines++;
  }
  if (maps != nullptr) std::fclose(maps);
  return lines;
}

// Whether the pages of the guard that stand for a closed mapping are there.
inline bool closed_at(const void* address) {
  const Vma vma = vma_at(address);
  return std::strcmp(vma.permissions, "---p") == 0 &&
         vma.path == "/memfd:memmap-closed (deleted)";
}

// A byte of memory that other threads map and write. TSan does not look: it takes mmap(2)
// for a write to all of it.
#define UNSEEN __attribute__((noinline, no_sanitize("thread")))
UNSEEN inline char load(const char* at) { return *const_cast<const volatile char*>(at); }
UNSEEN inline void store(char* at, char byte) { *static_cast<volatile char*>(at) = byte; }
#undef UNSEEN

// Whether any byte of [address, address + length) is mapped.
inline bool mapped(const void* address, size_t length) {
  const auto* bytes = static_cast<const char*>(address);
  for (size_t at = 0; at < length; at += 4096) {
    if (vma_at(bytes + at).mapped()) return true;
  }
  return false;
}

inline bool all_bytes(const char* bytes, size_t length, char wanted) {
  for (size_t at = 0; at < length; at++) {
    if (bytes[at] != wanted) return false;
  }
  return true;
}

}  // namespace memmap::test
