// Other copies of this package in the process, of the same version or another. Each has a
// guard of its own; one of them is in front, and passes on what is not its own.
//
// Threads: any, under no lock that a copy takes to answer: there is none.
#pragma once

#include "core/guard/previous_handlers.h"

namespace memmap::core {

// Whether `from` is the handler of a guard, and the next that it passes a signal on to,
// or one after it with only guards between, is `to`. Not for signal handlers.
bool copy_passes_on(int signal, SignalHandler from, SignalHandler to);

}  // namespace memmap::core
