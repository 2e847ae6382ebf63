// Waiting for words of shared memory without a thread for each: one thread of the process
// sleeps on all of them, and tells those who asked.
//
// Threads: any. `done` runs on the waiter's thread, or not at all once a cancel has
// returned; it may call nothing of this file.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "core/mapping/address_range.h"
#include "sys/result.h"

namespace memmap::core {

struct Wait {
  // Keeps the addresses taken: after a close they are looked at still, by the kernel
  // only.
  std::shared_ptr<AddressRange> range;
  const void* word = nullptr;
  uint32_t expected = 0;
  std::chrono::steady_clock::time_point deadline;
  // Goes on until it is cancelled, and has no deadline: for a word that changes often.
  // The word must be readable until then.
  bool stays = false;
  // Whoever asked: called once, when the word was woken, holds something else, is gone,
  // or the deadline has passed. One that stays calls at each change, but not again before
  // heard_wait: whoever hears looks at the word after that.
  void* listener = nullptr;
  void (*done)(void* listener, uint64_t id) = nullptr;
};

// The number of the wait: positive, never reused. EAGAIN: no thread could be started.
sys::Result<uint64_t> start_wait(Wait wait);
// The listener knows of all changes so far. Nothing if the wait does not stay.
void heard_wait(uint64_t id);
// Of a wait of `listener` that stays, or one that does not. False: there is none; it was
// over already.
bool cancel_wait(const void* listener, uint64_t id, bool stays);
// All that `listener` asked for.
void cancel_waits(const void* listener);

}  // namespace memmap::core
