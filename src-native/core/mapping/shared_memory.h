// Memory that processes share: made, or checked when it comes from somebody else.
#pragma once

#include <cstdint>

#include "sys/fd.h"
#include "sys/result.h"

namespace memmap::core {

struct SharedMemoryRequest {
  const char* name = nullptr;  // in /dev/shm; null: a memfd
  unsigned memfd_flags = 0;
  bool secret = false;  // memfd_secret(2)
  int64_t length = 0;   // bytes
};

// The call that failed.
enum class SharedMemoryStep : int { kOpen, kMode, kStat, kGrow, kName };

// All pages are allocated, so that memory or a file system without room is an error here;
// of secret memory the kernel allocates at the first touch. A name appears once the
// memory is complete, and not at all if something fails: EEXIST if it is taken.
sys::Result<sys::UniqueFd> create_shared_memory(const SharedMemoryRequest& request,
                                                SharedMemoryStep& step);

struct SharedMemoryFacts {
  // Whether the descriptor leads to memory, of a kind that can be shared and mapped.
  bool memory = false;
  bool secret = false;
  bool writable = false;  // the descriptor, not the seals
  int64_t length = 0;     // bytes
  int64_t page_size = 0;  // bytes; of hugetlbfs a huge page
  int seals = 0;          // F_SEAL_*
};

// The seals are read before the length: what is sealed cannot have changed in between.
sys::Errno examine_shared_memory(int fd, SharedMemoryFacts& facts);

}  // namespace memmap::core
