// What the guard has counted, in one mapping and in the whole process. Counts outlive the
// memory: whoever wants to read them holds them.
//
// Threads: any may read; who counts holds the page replacement lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memmap::core {

// What the guard makes of a fault. JavaScript has the same order: lib/mem/faults.ts.
enum class FaultKind : uint8_t {
  kTruncated,      // past the end of the file
  kNoSpace,        // the file system has no block or page to give
  kMemoryFailure,  // the machine's memory is broken, or a disk did not read
  kReadOnly,       // a write where only reading is allowed
  kNoAccess,       // any access where none is allowed
  kAfterClose,
};
inline constexpr size_t kFaultKinds = 6;
// As JavaScript says them.
inline constexpr std::array<const char*, kFaultKinds> kFaultKindNames = {
    "truncated", "no-space", "memory-failure", "read-only", "no-access", "after-close"};

struct FaultCounts {
  std::atomic<uint32_t> all = 0;  // of any kind; JavaScript watches that of the process
  std::atomic<uint32_t> counts[kFaultKinds] = {};
  // Of the last fault of each kind: bytes from the start of the mapping, and how many
  // bytes were replaced.
  std::atomic<uint64_t> offsets[kFaultKinds] = {};
  std::atomic<uint64_t> lengths[kFaultKinds] = {};
};

// Those of the whole process.
FaultCounts& process_counts();

// Counts a fault of a mapping, and for the process. Async-signal-safe.
void count_fault(FaultCounts& mapping, FaultKind kind, uint64_t offset, uint64_t length);

}  // namespace memmap::core
