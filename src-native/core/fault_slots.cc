#include "core/fault_slots.h"

#include <sys/mman.h>

#include <map>
#include <mutex>
#include <vector>

#include "sys/memory.h"

namespace memmap::core {
namespace {

// More than a process can have mappings, at the kernel's default limit. The tables take
// address space only: pages come with the slots that are used.
constexpr size_t kSlots = size_t{1} << 18;

// Apart from the counts, so that a search of many ranges reads little memory.
struct Bounds {
  std::atomic<uintptr_t> start;
  std::atomic<uintptr_t> end;  // 0: no range
};

struct Details {
  std::atomic<size_t> unit;
  std::atomic<int> fd;
  std::atomic<bool> of_runtime;
  std::atomic<bool> may_be_protected;
  std::atomic<uint64_t> age;
  uint32_t references;  // guarded by the table's mutex
};

template <typename T>
T* table_of(size_t count) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  sys::Result<void*> pages =
      sys::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, kFlags, -1, 0);
  return pages ? static_cast<T*>(*pages) : nullptr;
}

struct Table {
  Bounds* bounds = table_of<Bounds>(kSlots);
  Details* details = table_of<Details>(kSlots);
  FaultSlot* slots = table_of<FaultSlot>(kSlots);
  std::atomic<SlotIndex> used = 1;  // slots below it have been claimed at some time
  std::mutex mutex;
  std::vector<SlotIndex> free;
  uint64_t claims = 0;
  // Ranges of the runtime, by start. It unmaps them without a word, so that one may be
  // gone whose addresses have been given out again.
  std::map<uintptr_t, SlotIndex> of_runtime;

  bool works() const {
    return bounds != nullptr && details != nullptr && slots != nullptr;
  }
};

// Made by the first claim, which comes before the first fault; never destroyed.
std::atomic<Table*> the_table = nullptr;
FaultSlot without_table = {};

// A new range stands where these did.
void forget_stale(Table& all, uintptr_t start, uintptr_t end) {
  auto next = all.of_runtime.lower_bound(start);
  if (next != all.of_runtime.begin()) {
    auto before = std::prev(next);
    if (all.bounds[before->second].end.load(std::memory_order_relaxed) > start) {
      next = before;
    }
  }
  while (next != all.of_runtime.end() && next->first < end) {
    all.bounds[next->second].end.store(0, std::memory_order_release);
    next = all.of_runtime.erase(next);
  }
}

void forget(Table& all, SlotIndex index) {
  all.bounds[index].end.store(0, std::memory_order_release);
  const uintptr_t start = all.bounds[index].start.load(std::memory_order_relaxed);
  auto found = all.of_runtime.find(start);
  if (found != all.of_runtime.end() && found->second == index)
    all.of_runtime.erase(found);
}

Table& table() {
  static Table& instance = *new Table;
  the_table.store(&instance, std::memory_order_release);
  return instance;
}

}  // namespace

SlotIndex claim_slot(uintptr_t start, size_t length, SlotTraits traits) {
  Table& all = table();
  std::lock_guard lock(all.mutex);
  if (!all.works()) return kProcess;
  forget_stale(all, start, start + length);
  SlotIndex index = all.used.load(std::memory_order_relaxed);
  if (!all.free.empty()) {
    index = all.free.back();
    all.free.pop_back();
  } else if (index == kSlots) {
    return kProcess;
  }
  FaultSlot& slot = all.slots[index];
  for (auto& count : slot.counts) count.store(0, std::memory_order_relaxed);
  slot.all.store(0, std::memory_order_relaxed);
  slot.mended.store(false, std::memory_order_relaxed);
  slot.lost_from.store(SIZE_MAX, std::memory_order_relaxed);
  slot.suspect.store(0, std::memory_order_relaxed);
  slot.stash.store(0, std::memory_order_relaxed);
  Details& details = all.details[index];
  // The age first, and each store a release: who sees something of this claim sees its
  // age, and the end of the claim before, which is 0. Pairs with look_at.
  details.age.store(++all.claims, std::memory_order_release);
  details.unit.store(traits.unit, std::memory_order_release);
  details.fd.store(traits.fd, std::memory_order_release);
  details.of_runtime.store(traits.of_runtime, std::memory_order_release);
  details.may_be_protected.store(false, std::memory_order_release);
  details.references = 1;
  Bounds& bounds = all.bounds[index];
  bounds.start.store(start, std::memory_order_release);
  // Pairs with the acquire load in find_range: who sees the end sees the rest.
  bounds.end.store(start + length, std::memory_order_release);
  if (traits.of_runtime) all.of_runtime.insert_or_assign(start, index);
  if (index == all.used.load(std::memory_order_relaxed)) {
    all.used.store(index + 1, std::memory_order_release);
  }
  return index;
}

void retain_slot(SlotIndex index) {
  if (index == kProcess) return;
  Table& all = table();
  std::lock_guard lock(all.mutex);
  all.details[index].references += 1;
}

void release_slot(SlotIndex index) {
  if (index == kProcess) return;
  Table& all = table();
  std::lock_guard lock(all.mutex);
  all.details[index].references -= 1;
  if (all.details[index].references > 0) return;
  forget(all, index);
  all.free.push_back(index);
}

void forget_memory(SlotIndex index) {
  if (index == kProcess) return;
  Table& all = table();
  std::lock_guard lock(all.mutex);
  forget(all, index);
}

void extend_slot(SlotIndex index, size_t more) {
  if (index == kProcess) return;
  table().bounds[index].end.fetch_add(more, std::memory_order_release);
}

void inherit_counts(SlotIndex from, SlotIndex to) {
  if (from == kProcess || to == kProcess) return;
  FaultSlot& old = fault_slot(from);
  FaultSlot& fresh = fault_slot(to);
  for (size_t kind = 0; kind < kFaultKinds; ++kind) {
    const uint32_t count = old.counts[kind].load(std::memory_order_relaxed);
    fresh.counts[kind].fetch_add(count, std::memory_order_relaxed);
    fresh.all.fetch_add(count, std::memory_order_relaxed);
  }
}

void expect_protected(SlotIndex index) {
  if (index == kProcess) return;
  table().details[index].may_be_protected.store(true, std::memory_order_relaxed);
}

bool is_protected(SlotIndex index) {
  return index != kProcess &&
         table().details[index].may_be_protected.load(std::memory_order_relaxed);
}

void set_slot_fd(SlotIndex index, int fd) {
  if (index == kProcess) return;
  table().details[index].fd.store(fd, std::memory_order_relaxed);
}

FaultSlot& fault_slot(SlotIndex index) {
  Table* all = the_table.load(std::memory_order_acquire);
  return all != nullptr && all->works() ? all->slots[index] : without_table;
}

Replacing::Replacing(SlotIndex index) {
  if (index == kProcess) return;
  std::atomic<pid_t>& turn = fault_slot(index).replaced_by;
  const pid_t self = sys::gettid();
  pid_t nobody = 0;
  while (!turn.compare_exchange_strong(nobody, self, std::memory_order_acquire)) {
    if (nobody == self) return;
    nobody = 0;
    sys::sched_yield();
  }
  turn_ = &turn;
}

Replacing::~Replacing() {
  if (turn_ != nullptr) turn_->store(0, std::memory_order_release);
}

FaultSlot& process_slot() {
  Table& all = table();
  return all.works() ? all.slots[kProcess] : without_table;
}

namespace {

struct Sight {
  GuardedRange range;
  uint64_t age;
};

// The range of a slot, if `address` is in it: never the start of one claim and the end of
// another, whose slot it was before.
bool look_at(const Table& all, SlotIndex index, uintptr_t address, Sight& sight) {
  const Bounds& bounds = all.bounds[index];
  const Details& details = all.details[index];
  for (;;) {
    sight.age = details.age.load(std::memory_order_acquire);
    const uintptr_t end = bounds.end.load(std::memory_order_acquire);
    const uintptr_t start = bounds.start.load(std::memory_order_acquire);
    sight.range = {index,
                   start,
                   end,
                   details.unit.load(std::memory_order_acquire),
                   details.fd.load(std::memory_order_acquire),
                   details.of_runtime.load(std::memory_order_acquire),
                   details.may_be_protected.load(std::memory_order_acquire)};
    // A thread that is interrupted in a claim changes nothing meanwhile: this ends.
    if (details.age.load(std::memory_order_acquire) != sight.age) continue;
    return address >= start && address < end;
  }
}

}  // namespace

GuardedRange find_range(uintptr_t address) {
  GuardedRange found = {};
  Table* all = the_table.load(std::memory_order_acquire);
  if (all == nullptr || !all->works()) return found;
  uint64_t age = 0;
  const SlotIndex used = all->used.load(std::memory_order_acquire);
  for (SlotIndex index = 1; index < used; ++index) {
    const uintptr_t end = all->bounds[index].end.load(std::memory_order_acquire);
    const uintptr_t start = all->bounds[index].start.load(std::memory_order_relaxed);
    if (address >= end || address < start) continue;
    Sight sight = {};
    if (!look_at(*all, index, address, sight)) continue;
    const size_t length = sight.range.end - sight.range.start;
    if (found.index != kProcess) {
      const size_t best = found.end - found.start;
      if (length > best || (length == best && sight.age < age)) continue;
    }
    age = sight.age;
    found = sight.range;
  }
  return found;
}

void count_fault(SlotIndex index, FaultKind kind, uint64_t offset, uint64_t length) {
  const auto which = static_cast<size_t>(kind);
  for (SlotIndex at : {index, kProcess}) {
    FaultSlot& slot = fault_slot(at);
    slot.offsets[which].store(offset, std::memory_order_relaxed);
    slot.lengths[which].store(length, std::memory_order_relaxed);
    // Release: who sees the count sees the rest.
    slot.counts[which].fetch_add(1, std::memory_order_relaxed);
    slot.all.fetch_add(1, std::memory_order_release);
    if (at == kProcess) return;
  }
}

}  // namespace memmap::core
