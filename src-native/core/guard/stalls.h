// Faults that another thread has fixed up already: the access succeeds when it is tried
// again. One that never does would be tried for ever.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memmap::core {

// How often each thread has come back to one address. Async-signal-safe.
class Stalls {
 public:
  // Counts a fault of the calling thread that nothing was done about: how many it has had
  // in a row, all at this address.
  uint32_t again(uintptr_t address);
  // The calling thread's row has ended.
  void end();

 private:
  static constexpr size_t kThreads = 64;
  static constexpr size_t kTries = 8;

  // Written by its thread alone, until more threads stall than there is room for: then by
  // one that takes it over.
  struct Row {
    std::atomic<uintptr_t> thread;  // 0: nobody's
    std::atomic<uintptr_t> address;
    std::atomic<uint32_t> length;
  };

  Row* row_of(uintptr_t thread);
  Row& at(uintptr_t thread, size_t attempt);

  Row rows_[kThreads] = {};
};

}  // namespace memmap::core
