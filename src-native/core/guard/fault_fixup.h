// Fixups: what is put under a faulting access so that it can go on. The file, and what
// others see of it, is never touched.
//
//   past the end of the file    zeros over the whole lost tail, with one mmap
//   no space, broken memory     a private copy of the block, zeros where unreadable
//   a write to a read-only map  pages that only this process sees, the old ones kept
//   a map without access        its pages stashed, zeros in their place
//   after close                 zeros
//
// Only what belongs to an extent is fixed up: the kernel is asked what stands at the
// address, and it must be what was mapped there, or what the guard put in its place.
//
// Async-signal-safe: no allocation, no lock but the page replacement lock; works in any
// thread at any moment. Takes less than 2 KiB of stack.
#pragma once

#include <cstddef>
#include <cstdint>

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

enum class Fixup : uint8_t {
  kNot,  // not our memory, or not to be helped
  kNow,
  kAlready,  // another thread was faster: the access will succeed
};

Fixup fix_up(const Fault& fault);

}  // namespace memmap::core
