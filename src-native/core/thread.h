// Threads of this library: the one way to start one, and what it may be interrupted by.
//
// Threads: any.
#pragma once

#include <signal.h>

#include "sys/result.h"

namespace memmap::core {

// Runs `work(data)` on a thread that nobody waits for, with a small stack. It takes no
// signals: those are for the threads that expect them. `name`: for ps and gdb, at most 15
// bytes. EAGAIN: no thread can be had.
sys::Errno start_thread(const char* name, void (*work)(void*), void* data);

// While it lives, the guard (core/guard.h) can help this thread of ours: it takes the
// signals of its own faults. For accesses to memory that may be gone.
class FaultsLetThrough {
 public:
  FaultsLetThrough();
  FaultsLetThrough(const FaultsLetThrough&) = delete;
  FaultsLetThrough& operator=(const FaultsLetThrough&) = delete;
  ~FaultsLetThrough();

 private:
  sigset_t before_;
};

}  // namespace memmap::core
