// The guard: a handler of SIGBUS and SIGSEGV that lets an access to our memory go on
// where the kernel would end the process (core/fault_fixup.h), and passes everything else
// on to whoever was there before (core/previous_handlers.h).
//
// Threads: all functions may be called from any thread.
#pragma once

#include "sys/result.h"

namespace memmap::core {

// On unless turned off before the first map.
bool guard_enabled();
// False if the guard has been armed already.
bool disable_guard();

// Notes the runtime's own handlers, if it has any and nobody has taken their place yet:
// V8's, whose WebAssembly raises the signals. `runtime`: any function of the runtime.
void note_previous_handlers(const void* runtime);

// What the guard would lack if it had to be armed now: 0, or what prepare_guard() would
// answer. Arms nothing.
sys::Errno missing_of_guard();

// Makes what the handler needs, once: closed pages, a way to ask the kernel. On failure
// nothing may be mapped that is to be guarded; a later call tries again. The error is
// that of a system call, and which of the two it was: see below.
sys::Errno prepare_guard();
// The same, and puts the handler in place, or back in place if somebody has replaced it.
// Called before each map.
sys::Errno arm_guard();

// Added to the error of memfd_create(2), and of open(2) of /proc/self/maps.
inline constexpr int kNoClosedPages = 1 << 13;
inline constexpr int kNoProc = 1 << 14;

// The same, if it has been in place before.
void rearm_guard();

// Whether somebody calls rearm_guard() when another handler takes the place of ours. As
// long as nobody does a thread looks, some times a second. EAGAIN: none can be had.
sys::Errno watch_handlers(bool told);

}  // namespace memmap::core
