// The guard: a handler of SIGBUS and SIGSEGV that lets an access to our memory go on
// where the kernel would end the process (core/mend.h), and passes everything else on to
// whoever was there before.
//
// Threads: all functions may be called from any thread.
#pragma once

#include "sys/result.h"

namespace memmap::core {

// On unless turned off before the first map.
bool guard_enabled();
// False if the guard has been armed already.
bool disable_guard();

// Notes who handles the signals now, before others take their place: V8, whose
// WebAssembly raises them.
void meet_predecessors();

// Puts the handler in place, or back in place if somebody has replaced it. Called before
// each map.
void arm_guard();
// The same, if it has been in place before.
void rearm_guard();

// From here on the handler tells of faults. Once.
sys::Errno listen_for_faults();
// Waits until faults have happened since the last call. One thread only.
sys::Errno wait_for_faults();

}  // namespace memmap::core
