// From a path or descriptor to a Mapping: open, measure, grow, map. One call, so that
// mapping a file costs JavaScript one crossing.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "core/mapping/mapping.h"
#include "sys/result.h"

namespace memmap::core {

struct FileRequest {
  const char* path = nullptr;  // or null, and
  int fd = -1;                 // a descriptor of the caller's, left open
  int open_flags = 0;          // of open(2), with a path
  int64_t offset = 0;          // bytes into the file, any alignment
  int64_t length = -1;         // bytes; -1: to the end of the file
  int64_t grow_to = -1;        // bytes the file has at least; -1: as it is
  int prot = 0;
  int flags = 0;  // of mmap(2)
  void* address = nullptr;
  int64_t keep_above = -1;  // keep a descriptor for mappings longer than this; -1: never;
                            // 0: always, and fail without one, even if nothing is mapped
};

// What stopped map_file, or what it found.
struct FileFacts {
  // The call that failed. kRange is no call: offset or length lies past the end.
  enum class Step : int { kOpen, kStat, kRange, kKeep, kGrow, kMap };
  Step step = Step::kOpen;
  int64_t size = 0;         // bytes in the file, after growing
  int64_t length = 0;       // bytes mapped, as asked
  uint64_t filesystem = 0;  // statfs(2) f_type
  mode_t mode = 0;          // of what kind it is: stat(2) st_mode
  uint64_t device = 0;
  uint64_t inode = 0;
  // When the inode last changed, stat(2) st_ctim, as of before the file was opened for
  // mapping.
  int64_t changed_seconds = 0;
  int64_t changed_nanoseconds = 0;
};

// The mapping covers whole pages, from the one that holds `offset`. A request for zero
// bytes (an empty file) has nothing to map: ENODATA at step kMap. What was created for a
// request that fails is removed again.
sys::Result<Mapping> map_file(const FileRequest& request, FileFacts& facts);

// Shared memory behind a memfd, which the mapping keeps for passing on. `pages` says
// where, how long and how protected; its descriptor is filled in here: MAP_ANONYMOUS,
// which ignores one, is EINVAL here and in map_file.
sys::Result<Mapping> map_memfd(const char* name, unsigned memfd_flags,
                               Mapping::Request pages, FileFacts::Step& step);

// Makes the file `size` bytes long, with its blocks on disk: a full disk is ENOSPC here
// and not SIGBUS later. Never shrinks; on failure the file has its old size.
sys::Errno grow_file(int fd, int64_t old_size, int64_t size);

}  // namespace memmap::core
