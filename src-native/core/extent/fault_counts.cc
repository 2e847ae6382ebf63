#include "core/extent/fault_counts.h"

namespace memmap::core {
namespace {

// JavaScript has a buffer over it: never destroyed, and at one address.
FaultCounts of_process;

}  // namespace

FaultCounts& process_counts() { return of_process; }

void count_fault(FaultCounts& mapping, FaultKind kind, uint64_t offset, uint64_t length) {
  const auto which = static_cast<size_t>(kind);
  for (FaultCounts* at : {&mapping, &of_process}) {
    at->offsets[which].store(offset, std::memory_order_relaxed);
    at->lengths[which].store(length, std::memory_order_relaxed);
    at->counts[which].fetch_add(1, std::memory_order_relaxed);
    // Release: who sees the count sees the rest.
    at->all.fetch_add(1, std::memory_order_release);
  }
}

}  // namespace memmap::core
