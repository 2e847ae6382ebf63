// The kernel as witness that a thread lives: a lock of its own open file description on
// one byte, far past the end, of the file behind the shared memory. The kernel drops it
// whatever ends the thread's process; ids of processes, which come back, play no part.
//
// Threads: any.
#pragma once

#include <cstdint>

#include "sys/fd.h"
#include "sys/result.h"

namespace memmap::core {

// Ids are 1 to kMaxOwnerId.
inline constexpr uint32_t kMaxOwnerId = (1U << 29) - 1;

// Opens the file anew, so that nobody else has the description. ENOENT unless it is the
// one with this inode.
sys::Result<sys::UniqueFd> open_liveness_file(const char* path, uint64_t inode);

// A memfd of the process, for memory that no other process can have.
sys::Result<int> local_liveness_file();

// Takes the byte of `id`, for as long as the description lives. EAGAIN: somebody has it.
sys::Errno claim_id(int fd, uint32_t id);

// Whether another description has the byte of `id`.
sys::Result<bool> is_alive(int fd, uint32_t id);

}  // namespace memmap::core
