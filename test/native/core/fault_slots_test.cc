#include "core/fault_slots.h"

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"
#include "core/page.h"

namespace {

using memmap::core::claim_slot;
using memmap::core::count_fault;
using memmap::core::expect_protected;
using memmap::core::extend_slot;
using memmap::core::fault_slot;
using memmap::core::FaultKind;
using memmap::core::FaultSlot;
using memmap::core::find_range;
using memmap::core::forget_memory;
using memmap::core::GuardedRange;
using memmap::core::inherit_counts;
using memmap::core::is_protected;
using memmap::core::kProcess;
using memmap::core::process_slot;
using memmap::core::release_slot;
using memmap::core::Replacing;
using memmap::core::retain_slot;
using memmap::core::set_slot_fd;
using memmap::core::SlotIndex;
using memmap::core::SlotTraits;

// Addresses that no program has: nothing is mapped for a slot.
constexpr uintptr_t kBase = uintptr_t{1} << 60;
constexpr size_t kPage = 4096;

constexpr SlotTraits kOfRuntime = {.of_runtime = true};

uint32_t count_of(SlotIndex index, FaultKind kind) {
  return fault_slot(index).counts[static_cast<size_t>(kind)].load();
}

TEST("a claimed range is found from its first byte to its last") {
  const SlotIndex slot =
      claim_slot(kBase + kPage, 2 * kPage, {.of_runtime = true, .unit = 7, .fd = 3});
  CHECK(slot != kProcess);
  CHECK(find_range(kBase + kPage - 1).index == kProcess);
  CHECK(find_range(kBase + kPage).index == slot);
  CHECK(find_range(kBase + 3 * kPage - 1).index == slot);
  CHECK(find_range(kBase + 3 * kPage).index == kProcess);
  const GuardedRange range = find_range(kBase + 2 * kPage);
  CHECK(range.start == kBase + kPage && range.end == kBase + 3 * kPage);
  CHECK(range.unit == 7 && range.fd == 3 && range.of_runtime && !range.may_be_protected);
  expect_protected(slot);
  set_slot_fd(slot, -1);
  CHECK(is_protected(slot) && find_range(kBase + kPage).may_be_protected);
  CHECK(find_range(kBase + kPage).fd == -1);
  extend_slot(slot, kPage);
  CHECK(find_range(kBase + 4 * kPage - 1).index == slot);
  CHECK(find_range(kBase + 4 * kPage).index == kProcess);
  release_slot(slot);
  CHECK(find_range(kBase + kPage).index == kProcess);
}

TEST(
    "a slot is free after its last release, not before, and claimed anew without a "
    "trace") {
  const SlotIndex slot = claim_slot(kBase, kPage, {});
  retain_slot(slot);
  count_fault(slot, FaultKind::kTruncated, 1, 2);
  expect_protected(slot);
  fault_slot(slot).mended = true;
  fault_slot(slot).lost_from = 5;
  fault_slot(slot).suspect = 6;
  release_slot(slot);
  CHECK(find_range(kBase).index == slot);
  const SlotIndex other = claim_slot(kBase + kPage, kPage, {});
  CHECK(other != slot);
  release_slot(slot);
  CHECK(find_range(kBase).index == kProcess);
  const SlotIndex again = claim_slot(kBase, kPage, {});
  CHECK(again == slot);
  const FaultSlot& fresh = fault_slot(again);
  CHECK(fresh.all == 0 && count_of(again, FaultKind::kTruncated) == 0);
  CHECK(!fresh.mended && fresh.lost_from == SIZE_MAX && fresh.suspect == 0);
  CHECK(!is_protected(again));
  release_slot(other);
  release_slot(again);
}

TEST("a forgotten range is found no more, and its counts stay for whoever holds it") {
  const SlotIndex slot = claim_slot(kBase, kPage, kOfRuntime);
  count_fault(slot, FaultKind::kReadOnly, 1, 2);
  forget_memory(slot);
  CHECK(find_range(kBase).index == kProcess);
  CHECK(fault_slot(slot).all == 1 && count_of(slot, FaultKind::kReadOnly) == 1);
  const SlotIndex other = claim_slot(kBase, kPage, {});
  CHECK(other != slot && find_range(kBase).index == other);
  // The end of the old range takes nothing from the new one.
  release_slot(slot);
  CHECK(find_range(kBase).index == other);
  release_slot(other);
}

TEST("of ranges inside each other the smallest is found, whatever their ages") {
  const SlotIndex outer = claim_slot(kBase, 8 * kPage, {});
  const SlotIndex inner = claim_slot(kBase + 2 * kPage, kPage, {});
  const SlotIndex middle = claim_slot(kBase + kPage, 4 * kPage, {});
  CHECK(find_range(kBase).index == outer);
  CHECK(find_range(kBase + kPage).index == middle);
  CHECK(find_range(kBase + 2 * kPage).index == inner);
  CHECK(find_range(kBase + 3 * kPage).index == middle);
  CHECK(find_range(kBase + 5 * kPage).index == outer);
  release_slot(inner);
  CHECK(find_range(kBase + 2 * kPage).index == middle);
  release_slot(middle);
  CHECK(find_range(kBase + 2 * kPage).index == outer);
  release_slot(outer);
}

TEST("of equal ranges the youngest is found, whichever slot it has") {
  const SlotIndex one = claim_slot(kBase + kPage, kPage, {});
  const SlotIndex two = claim_slot(kBase + kPage, kPage, {});
  // The slot that was released last is claimed first.
  for (auto [first, second] : {std::pair(one, two), std::pair(two, one)}) {
    release_slot(first);
    const SlotIndex old = claim_slot(kBase, kPage, {});
    release_slot(second);
    const SlotIndex young = claim_slot(kBase, kPage, {});
    CHECK(old == first && young == second);
    CHECK(find_range(kBase).index == young);
  }
  release_slot(one);
  release_slot(two);
}

TEST("ranges of the runtime are forgotten when their addresses are claimed again") {
  // The engine unmaps without telling: what it had there is gone.
  const SlotIndex before = claim_slot(kBase, 4 * kPage, kOfRuntime);
  const SlotIndex small = claim_slot(kBase + 4 * kPage, kPage, kOfRuntime);
  const SlotIndex after = claim_slot(kBase + 8 * kPage, 2 * kPage, kOfRuntime);
  const SlotIndex own = claim_slot(kBase + 10 * kPage, 4 * kPage, {});
  // From inside the first to inside the third; the smallest stale one would be preferred.
  const SlotIndex claimed = claim_slot(kBase + 3 * kPage, 6 * kPage, {});
  for (size_t i : {3U, 4U, 5U, 8U}) {
    CHECK(find_range(kBase + i * kPage).index == claimed);
  }
  for (size_t i : {0U, 2U, 9U}) CHECK(find_range(kBase + i * kPage).index == kProcess);
  CHECK(find_range(kBase + 10 * kPage).index == own);
  for (SlotIndex slot : {before, small, after, own, claimed}) release_slot(slot);
}

TEST("ranges of the runtime beside a claimed one stay") {
  const SlotIndex before = claim_slot(kBase, kPage, kOfRuntime);
  const SlotIndex after = claim_slot(kBase + 2 * kPage, kPage, kOfRuntime);
  const SlotIndex claimed = claim_slot(kBase + kPage, kPage, kOfRuntime);
  CHECK(find_range(kBase).index == before);
  CHECK(find_range(kBase + kPage).index == claimed);
  CHECK(find_range(kBase + 2 * kPage).index == after);
  for (SlotIndex slot : {before, after, claimed}) release_slot(slot);
}

TEST("a fault is counted in its slot and for the process, with where it was") {
  const SlotIndex slot = claim_slot(kBase, kPage, {});
  const uint32_t before = process_slot().all;
  const uint32_t truncated = count_of(kProcess, FaultKind::kTruncated);
  count_fault(slot, FaultKind::kTruncated, 11, 12);
  count_fault(slot, FaultKind::kTruncated, 21, 22);
  count_fault(slot, FaultKind::kNoAccess, 31, 32);
  const FaultSlot& counted = fault_slot(slot);
  CHECK(counted.all == 3 && count_of(slot, FaultKind::kTruncated) == 2);
  CHECK(count_of(slot, FaultKind::kNoAccess) == 1);
  CHECK(counted.offsets[0] == 21 && counted.lengths[0] == 22);
  CHECK(process_slot().all == before + 3);
  CHECK(count_of(kProcess, FaultKind::kTruncated) == truncated + 2);
  count_fault(kProcess, FaultKind::kAfterClose, 0, 0);
  CHECK(process_slot().all == before + 4);
  release_slot(slot);
}

TEST(
    "counts are inherited on top of what has been counted already, but not for the "
    "process") {
  const SlotIndex from = claim_slot(kBase, kPage, {});
  const SlotIndex to = claim_slot(kBase + kPage, kPage, {});
  count_fault(from, FaultKind::kTruncated, 0, 0);
  count_fault(from, FaultKind::kTruncated, 0, 0);
  count_fault(from, FaultKind::kReadOnly, 0, 0);
  count_fault(to, FaultKind::kTruncated, 0, 0);
  const uint32_t process = process_slot().all;
  inherit_counts(from, to);
  CHECK(count_of(to, FaultKind::kTruncated) == 3 &&
        count_of(to, FaultKind::kReadOnly) == 1);
  CHECK(fault_slot(to).all == 4);
  CHECK(count_of(from, FaultKind::kTruncated) == 2);
  inherit_counts(to, kProcess);
  inherit_counts(kProcess, to);
  CHECK(process_slot().all == process && fault_slot(to).all == 4);
  release_slot(from);
  release_slot(to);
}

TEST("a thread that has the turn at a range takes it again, and keeps it") {
  const SlotIndex slot = claim_slot(kBase, kPage, {});
  {
    const Replacing outer(slot);
    CHECK(fault_slot(slot).replaced_by != 0);
    { const Replacing inner(slot); }
    CHECK(fault_slot(slot).replaced_by != 0);
  }
  CHECK(fault_slot(slot).replaced_by == 0);
  const Replacing of_nothing(kProcess);
  CHECK(fault_slot(kProcess).replaced_by == 0);
  release_slot(slot);
}

TEST("of two threads one at a time replaces the pages of a range") {
  const SlotIndex slot = claim_slot(kBase, kPage, {});
  std::atomic<int> inside = 0;
  std::atomic<int> wrong = 0;
  uint64_t unguarded = 0;  // a data race without the turn
  auto work = [&] {
    for (int i = 0; i < 20'000; i++) {
      const Replacing turn(slot);
      if (inside.fetch_add(1) != 0) wrong++;
      unguarded++;
      inside.fetch_sub(1);
    }
  };
  std::thread one(work);
  std::thread two(work);
  one.join();
  two.join();
  CHECK(wrong == 0 && unguarded == 40'000);
  release_slot(slot);
}

TEST("threads claim, find, count in and release ranges at the same time") {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (uintptr_t i = 0; i < 4; i++) {
    threads.emplace_back([&wrong, i] {
      const uintptr_t start = kBase + i * 16 * kPage;
      for (int round = 0; round < 2000; round++) {
        const SlotIndex slot = claim_slot(start, kPage, {.of_runtime = round % 2 == 0});
        retain_slot(slot);
        const GuardedRange found = find_range(start + 1);
        if (found.index != slot || found.start != start) wrong++;
        if (fault_slot(slot).all != 0) wrong++;
        count_fault(slot, FaultKind::kTruncated, 0, 0);
        if (fault_slot(slot).all != 1) wrong++;
        if (round % 3 == 0) forget_memory(slot);
        release_slot(slot);
        release_slot(slot);
        if (find_range(start + 1).index != kProcess) wrong++;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST("threads find nothing between two ranges that had one slot after each other") {
  std::atomic<bool> done = false;
  std::thread claims([&] {
    for (int round = 0; round < 100'000; round++) {
      release_slot(claim_slot(kBase + 16 * kPage, kPage, {}));
      release_slot(claim_slot(kBase, kPage, {}));
    }
    done = true;
  });
  size_t wrong = 0;
  while (!done) {
    if (find_range(kBase + 8 * kPage).index != kProcess) wrong++;
  }
  claims.join();
  CHECK(wrong == 0);
}

TEST_ALONE("before the first claim there is nothing to find, and nothing to count in") {
  CHECK(find_range(kBase).index == kProcess);
  count_fault(kProcess, FaultKind::kTruncated, 0, 0);
  CHECK(fault_slot(kProcess).all == 1);
}

}  // namespace
