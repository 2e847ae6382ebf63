// Mending: what is put under a faulting access so that it can go on. The file, and what
// others see of it, is never touched.
//
//   past the end of the file    zeros over the whole lost tail, with one mmap
//   no space, broken memory     a private copy of the block, zeros where unreadable
//   a write to a read-only map  the whole map private and writable; writing copies pages
//   a map without access        its pages put aside, zeros in their place
//   after close                 zeros
//
// Async-signal-safe: no allocation, no lock; works in any thread at any moment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/fault_slots.h"
#include "sys/signal.h"

namespace memmap::core {

struct Fault {
  uintptr_t address;
  int signal;
  int code;      // siginfo si_code
  unsigned lsb;  // of BUS_MCEERR_AR: log2 of the bytes lost
  sys::Access access;
  bool fetch;  // of an instruction
};

enum class Mended : uint8_t {
  kNot,  // not our memory, or not to be helped
  kNow,
  kAlready,  // another thread was faster: the access will succeed
};

Mended mend(const Fault& fault);

}  // namespace memmap::core
