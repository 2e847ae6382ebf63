// The news of faults, from the handler that mends them to the one thread that tells of
// them. A word of memory: it takes no descriptor, which could be had for nothing when
// there are none, and which others could close.
#pragma once

namespace memmap::core {

// For a signal handler: wakes the thread, unless it has been told already.
void post_fault_news();

// Returns once faults have happened since it returned last, or since the process began.
// Threads: one only.
void wait_for_fault_news();

}  // namespace memmap::core
