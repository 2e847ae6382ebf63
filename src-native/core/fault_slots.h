// The ranges the guard answers for, and what happened in each: a table that a signal
// handler can read at any moment without a lock.
//
// Slot 0 holds no range; it counts for the whole process. A slot is claimed with one
// reference and freed with the last. Its range can be forgotten earlier, once nothing can
// reach the memory: its counts stay for whoever still holds it.
//
// Threads: claim, retain, release and forget take a lock; find, count and read do not.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "sys/signal.h"

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

struct FaultSlot {
  std::atomic<uint32_t> all;  // of any kind; JavaScript watches that of the process
  std::atomic<uint32_t> counts[kFaultKinds];
  // Of the last fault of each kind: bytes from the start of the range, and how many bytes
  // were replaced.
  std::atomic<uint64_t> offsets[kFaultKinds];
  std::atomic<uint64_t> lengths[kFaultKinds];
  // Set while pages of the range are not those that were mapped: see core/mend.h.
  std::atomic<bool> mended;
  // Where the lost end of the file begins, bytes from the start of the range; SIZE_MAX if
  // nothing is lost.
  std::atomic<uint64_t> lost_from;
  // The page inside the file that faulted last, or 0: core/mend tries it once more.
  std::atomic<uintptr_t> suspect;
  // Pages put aside by core/mend: the first of a list, or 0.
  std::atomic<uintptr_t> stash;
  // The thread that is replacing pages of the range: see Replacing.
  std::atomic<pid_t> replaced_by;
};

using SlotIndex = uint32_t;
inline constexpr SlotIndex kProcess = 0;

// What the guard may take for its own in a range.
struct SlotTraits {
  bool of_runtime = false;  // memory that the JavaScript engine unmaps without telling
  size_t unit = 0;          // bytes in a page
  int fd = -1;              // a descriptor of the file, if the mapping keeps one
};

// A free slot for [start, start + length), or kProcess if the table is full.
SlotIndex claim_slot(uintptr_t start, size_t length, SlotTraits traits);
void retain_slot(SlotIndex index);
void release_slot(SlotIndex index);
// The handler finds the range no more.
void forget_memory(SlotIndex index);
void extend_slot(SlotIndex index, size_t more);
// Adds what has been counted in `from` to `to`: the same mapping at another place.
void inherit_counts(SlotIndex from, SlotIndex to);
// From here on the range may hold pages without access, or read-only ones.
void expect_protected(SlotIndex index);
bool is_protected(SlotIndex index);
void set_slot_fd(SlotIndex index, int fd);

FaultSlot& fault_slot(SlotIndex index);

// One thread at a time replaces the pages of a range, and looks what they are once it is
// its turn. The others spin: who has the turn makes a few system calls and touches none
// of the pages. Async-signal-safe.
class Replacing {
 public:
  explicit Replacing(SlotIndex index);
  ~Replacing();
  Replacing(const Replacing&) = delete;
  Replacing& operator=(const Replacing&) = delete;

 private:
  std::atomic<pid_t>* turn_ =
      nullptr;  // null: no range, or the thread has the turn already
};
// The same, made if there is none yet.
FaultSlot& process_slot();

struct GuardedRange {
  SlotIndex index;  // kProcess: no range of ours
  uintptr_t start;
  uintptr_t end;
  size_t unit;
  int fd;
  bool of_runtime;
  bool may_be_protected;
};

// The smallest range that holds `address`; of equal ones the youngest.
GuardedRange find_range(uintptr_t address);

// Counts a fault in a slot and for the process.
void count_fault(SlotIndex index, FaultKind kind, uint64_t offset, uint64_t length);

}  // namespace memmap::core
