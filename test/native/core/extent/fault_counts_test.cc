#include "core/extent/fault_counts.h"

#include <atomic>
#include <thread>

#include "check.h"

namespace {

using memmap::core::count_fault;
using memmap::core::FaultCounts;
using memmap::core::FaultKind;
using memmap::core::process_counts;

TEST("a fault is counted in its mapping and for the process, with where it was") {
  constexpr auto kTruncated = static_cast<size_t>(FaultKind::kTruncated);
  constexpr auto kNoAccess = static_cast<size_t>(FaultKind::kNoAccess);
  FaultCounts counts;
  FaultCounts other;
  const FaultCounts& process = process_counts();
  const uint32_t before = process.all;
  const uint32_t truncated = process.counts[kTruncated];
  count_fault(counts, FaultKind::kTruncated, 11, 12);
  count_fault(counts, FaultKind::kTruncated, 21, 22);
  count_fault(counts, FaultKind::kNoAccess, 31, 32);
  CHECK(counts.all == 3);
  CHECK(counts.counts[kTruncated] == 2 && counts.counts[kNoAccess] == 1);
  CHECK(counts.offsets[kTruncated] == 21 && counts.lengths[kTruncated] == 22);
  CHECK(counts.offsets[kNoAccess] == 31 && counts.lengths[kNoAccess] == 32);
  CHECK(process.all == before + 3 && process.counts[kTruncated] == truncated + 2);
  CHECK(process.offsets[kTruncated] == 21 && process.lengths[kTruncated] == 22);
  CHECK(other.all == 0);
  count_fault(other, FaultKind::kTruncated, 0, 0);
  CHECK(process.counts[kTruncated] == truncated + 3 && counts.all == 3);
}

TEST("threads that see a fault counted see where it was") {
  FaultCounts counts;
  std::thread counting([&] {
    for (uint64_t i = 1; i <= 20'000; i++) {
      count_fault(counts, FaultKind::kTruncated, i, i);
    }
  });
  int wrong = 0;
  for (uint32_t all = 0; all < 20'000;) {
    all = counts.all.load(std::memory_order_acquire);
    if (counts.offsets[0] < all || counts.lengths[0] < all) wrong++;
    if (counts.counts[0] < all) wrong++;
  }
  counting.join();
  CHECK(wrong == 0);
}

}  // namespace
