#include "core/guard/stalls.h"

#include <pthread.h>

#include <bit>

namespace memmap::core {
namespace {

// Costs no system call, and is nobody else's while the thread lives.
uintptr_t this_thread() { return std::bit_cast<uintptr_t>(::pthread_self()); }

}  // namespace

// Threads' structures are pages apart.
Stalls::Row& Stalls::at(uintptr_t thread, size_t attempt) {
  return rows_[((thread >> 12) + (thread >> 20) + attempt) % kThreads];
}

Stalls::Row* Stalls::row_of(uintptr_t thread) {
  for (size_t i = 0; i < kTries; ++i) {
    Row& row = at(thread, i);
    if (row.thread.load(std::memory_order_relaxed) == thread) return &row;
  }
  return nullptr;
}

uint32_t Stalls::again(uintptr_t address) {
  const uintptr_t self = this_thread();
  Row* row = row_of(self);
  for (size_t i = 0; row == nullptr && i < kTries; ++i) {
    uintptr_t nobody = 0;
    if (at(self, i).thread.compare_exchange_strong(nobody, self)) row = &at(self, i);
  }
  if (row == nullptr) {  // of threads that have ended, most likely
    row = &at(self, 0);
    row->thread.store(self, std::memory_order_relaxed);
    row->length.store(0, std::memory_order_relaxed);
  }
  if (row->address.exchange(address, std::memory_order_relaxed) != address) {
    row->length.store(0, std::memory_order_relaxed);
  }
  return row->length.fetch_add(1, std::memory_order_relaxed) + 1;
}

void Stalls::end() {
  Row* row = row_of(this_thread());
  if (row != nullptr) row->length.store(0, std::memory_order_relaxed);
}

}  // namespace memmap::core
