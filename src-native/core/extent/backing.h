// What stands behind pages: told from anything else by what was known of it when it was
// mapped, so that the guard never takes another's memory for ours.
//
// Two identities of a file, each compared with its own kind only: what fstat(2) says of
// it, and what /proc says of a mapping of it. On btrfs and overlayfs they differ.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "core/extent/vma.h"
#include "sys/result.h"

namespace memmap::core {

struct Backing {
  enum class Kind : uint8_t {
    kAnonymous,  // private memory: no file, whatever /proc shows
    kKernel,  // a file of the kernel's own: shared anonymous memory, anonymous huge pages
    kFile,
  };
  Kind kind = Kind::kAnonymous;
  bool shared = false;
  bool in_memory = false;  // there is no disk: reading a hole needs space, too
  bool regular = false;    // a path may lead to the file
  bool layered = false;    // of a file system that keeps its files in others
  size_t unit = 0;         // bytes of a page
  // Of kFile: fstat(2).
  dev_t device = 0;
  ino_t inode = 0;
  uint64_t offset = 0;  // of the first byte, bytes into the file
  // What /proc shows of the mapping; 0, 0: not asked yet.
  dev_t shown_device = 0;
  uint64_t shown_inode = 0;

  bool shown() const { return shown_device != 0 || shown_inode != 0; }
};

// The page size that MAP_HUGETLB with these flags asks for; the machine's own without.
size_t unit_of_flags(int flags);

// The file behind `fd`, and how a mapping with `flags` of mmap(2) stands to it. fd -1: no
// file. What fstat(2) says if it fails.
sys::Result<Backing> backing_of(int fd, int flags, int64_t offset);
// The same, of what has been asked before. `filesystem`, `block`: statfs(2) f_type,
// f_bsize.
Backing backing_of(const struct stat& status, uint64_t filesystem, int64_t block,
                   int flags, int64_t offset);

// Asks /proc what it shows of the pages that have just been mapped at `address`, where
// that is not what fstat(2) says. Costs a call for a new device, and for each mapping of
// the file systems that show another file. With the page replacement lock held.
void learn_shown(Backing& backing, uintptr_t address);

// Whether the kernel's mapping is one of the file or memory, shared or private, `into`
// bytes of which lie before its start. Takes what /proc shows for the truth if it has not
// been asked before.
bool stands_behind(Backing& backing, const Vma& vma, uint64_t into);
// Whether `now` is the same file, and mapped alike; not from which offset. A file in
// layers may have gone to another of them, with another number.
bool alike(const Backing& backing, const Backing& now);
// Whether the descriptor, or what fstat(2) says of one, is the file's.
bool is_file(const Backing& backing, const struct stat& status);

}  // namespace memmap::core
