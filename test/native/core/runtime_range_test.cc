// Ranges of the JavaScript engine, which unmaps them without a word: kept until the
// kernel shows something else there, and nothing else is ever taken for them.
#include <signal.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <vector>

#include "check.h"
#include "child.h"
#include "core/address_range.h"
#include "core/fault_fixup.h"
#include "core/guard.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::arm_guard;
using memmap::core::page_size;
using memmap::test::Call;
using memmap::test::counts_at;
using memmap::test::End;
using memmap::test::free_addresses;
using memmap::test::in_child;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::map_foreign;
using memmap::test::note;
using memmap::test::number;
using memmap::test::Owner;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

constexpr int kPlaced = MAP_FIXED_NOREPLACE;

std::shared_ptr<AddressRange> note_runtime(char* address, size_t count, int prot,
                                           int flags, int fd = -1) {
  return note(address, count, prot, flags, fd, Owner::kRuntime);
}

bool known(const char* address) {
  return AddressRange::find(number(address), 1, true) != nullptr;
}

TEST(
    "a range of the runtime that nobody holds is guarded until the kernel shows that it "
    "is gone") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  void* mapped = ::mmap(nullptr, 2 * page, PROT_READ, MAP_SHARED, file.fd(), 0);
  char* address = static_cast<char*>(mapped);
  note_runtime(address, 2, PROT_READ, MAP_SHARED, file.fd()).reset();
  AddressRange::sweep();
  CHECK(known(address) && AddressRange::any_in(number(address) + page, 1));
  CHECK(::ftruncate(file.fd(), 0) == 0);
  const auto counts = counts_at(address);
  CHECK(*const_cast<volatile char*>(address + page) == 0 && counts->all == 1);
  // Replaced pages are still the range's.
  AddressRange::sweep();
  CHECK(known(address));
  ::munmap(address, 2 * page);
  CHECK(known(address));
  AddressRange::sweep();
  CHECK(!known(address) && counts_at(address) == nullptr);
  CHECK(!AddressRange::any_in(number(address), 2 * page));
}

TEST("a sweep keeps what somebody holds, and what it cannot look at") {
  char* held = map_foreign(1);
  char* gone = map_foreign(1);
  auto holder = note_runtime(held, 1, kReadWrite, kAnonymous);
  note_runtime(gone, 1, kReadWrite, kAnonymous).reset();
  ::munmap(held, page_size());
  ::munmap(gone, page_size());
  const size_t live = AddressRange::census().live;
  {
    Refuse full(Call::kOpen, 0, EMFILE);
    AddressRange::sweep();
    CHECK(full.refused() > 0);
  }
  CHECK(AddressRange::census().live == live && known(gone));
  AddressRange::sweep();
  CHECK(known(held) && !known(gone));
  CHECK(AddressRange::census().live == live - 1);
  holder.reset();
  AddressRange::sweep();
  CHECK(!known(held));
}

TEST("a new range forgets those it lies over, and none beside it") {
  const size_t page = page_size();
  char* address = free_addresses(8);
  const auto runtime = [&](size_t first, size_t count) {
    ::mmap(address + first * page, count * page, kReadWrite, kAnonymous | kPlaced, -1, 0);
    note_runtime(address + first * page, count, kReadWrite, kAnonymous).reset();
    ::munmap(address + first * page, count * page);
  };
  runtime(0, 1);
  runtime(1, 2);
  runtime(3, 1);
  runtime(5, 2);
  runtime(7, 1);
  void* placed =
      ::mmap(address + 2 * page, 4 * page, kReadWrite, kAnonymous | kPlaced, -1, 0);
  CHECK(placed == address + 2 * page);
  auto range = note(placed, 4, kReadWrite, kAnonymous);
  CHECK(known(address) && known(address + 7 * page));
  CHECK(!known(address + page) && !known(address + 6 * page));
  CHECK(counts_at(address + page) == nullptr);
  for (size_t i : {2U, 3U, 4U, 5U}) {
    CHECK(AddressRange::find(number(address) + i * page, page, false) == range);
    CHECK(counts_at(address + i * page) == counts_at(address + 2 * page));
  }
  range.reset();
  AddressRange::sweep();
}

TEST("a range that grows forgets those it grows over") {
  const size_t page = page_size();
  char* address = free_addresses(3);
  ::mmap(address + page, page, kReadWrite, kAnonymous | kPlaced, -1, 0);
  note_runtime(address + page, 1, PROT_READ, kAnonymous).reset();
  ::munmap(address + page, page);
  ::mmap(address, 2 * page, kReadWrite, kAnonymous | kPlaced, -1, 0);
  auto range = note(address, 1, kReadWrite, kAnonymous);
  range->extend(page);
  CHECK(AddressRange::find(number(address) + page, page, false) == range);
  CHECK(counts_at(address + page) == counts_at(address));
}

TEST(
    "memory of the runtime is told from the engine's around it, without access as well") {
  const size_t page = page_size();
  for (const bool at_the_limit : {false, true}) {
    char* around = map_foreign(4, PROT_NONE);
    char* address = around + page;
    CHECK(::mprotect(address, 2 * page, kReadWrite) == 0);
    auto range = note_runtime(address, 2, kReadWrite, kAnonymous);
    const auto counts = counts_at(address);
    if (at_the_limit) {
      Refuse full(Call::kMmap, MAP_FIXED, ENOMEM);
      CHECK(!range->vacate(0, 2 * page).failed());
    } else {
      CHECK(!range->protect(0, 2 * page, PROT_NONE).failed());
    }
    CHECK(std::strcmp(vma_at(address).permissions, "---p") == 0);
    const memmap::core::Fixup fixup = memmap::core::fix_up({.address = number(address),
                                                            .signal = SIGSEGV,
                                                            .code = SEGV_ACCERR,
                                                            .lsb = 0,
                                                            .access = {},
                                                            .fetch = false});
    CHECK(fixup == memmap::core::Fixup::kNow && counts->all == 1);
    CHECK(std::strcmp(vma_at(around).permissions, "---p") == 0);
    ::munmap(around, 4 * page);
  }
}

TEST("ranges that the runtime has unmapped are swept as they become many") {
  const size_t page = page_size();
  AddressRange::sweep();
  const size_t before = AddressRange::census().live;
  constexpr size_t kRanges = 5000;
  size_t most = 0;
  // Addresses of their own, so that none lies over another.
  char* address = free_addresses(2 * kRanges);
  for (size_t i = 0; i < kRanges; i++) {
    char* at = address + 2 * i * page;
    ::mmap(at, page, kReadWrite, kAnonymous | kPlaced, -1, 0);
    note_runtime(at, 1, kReadWrite, kAnonymous).reset();
    ::munmap(at, page);
    most = std::max(most, AddressRange::census().live - before);
  }
  CHECK(most < kRanges / 2);
  AddressRange::sweep();
  CHECK(AddressRange::census().live == before);
}

// What was at the address when the engine unmapped it, and what others put there since.
struct Former {
  const char* name;
  int prot;
  int flags;
  bool of_file;
  bool closed;
  bool lost;  // the guard has put zeros there
};
struct Present {
  const char* name;
  int prot;
  bool of_file;
  ptrdiff_t before;  // pages that it begins before the former ones
  ptrdiff_t behind;  // pages that it ends after them
};

// Neither the page before nor that behind is of the kind.
constexpr size_t kPages = 4;

void touch_after(const Former& former, const Present& present, int access) {
  const auto page = static_cast<ptrdiff_t>(page_size());
  constexpr auto kCount = static_cast<ptrdiff_t>(kPages);
  TemporaryFile file(kPages * page_size(), 'f');
  TemporaryFile other(16 * page_size(), 'o');
  CHECK(!arm_guard().failed());
  char* address = free_addresses(kPages + 4) + 2 * page;
  const int fd = former.of_file ? file.fd() : -1;
  CHECK(::mmap(address, kPages * page_size(), former.prot, former.flags | kPlaced, fd,
               0) == address);
  auto range = note_runtime(address, kPages, former.prot, former.flags, fd);
  if (former.closed) CHECK(!range->vacate(0, kPages * page_size()).failed());
  if (former.lost) {
    CHECK(former.closed || ::ftruncate(file.fd(), 0) == 0);
    CHECK(*static_cast<volatile char*>(address) == 0);
  }
  range.reset();
  ::munmap(address, kPages * page_size());
  char* start = address - present.before * page;
  const auto length =
      static_cast<size_t>((present.before + kCount + present.behind) * page);
  const int flags = present.of_file ? MAP_SHARED : kAnonymous;
  CHECK(::mmap(start, length, present.prot, flags | kPlaced,
               present.of_file ? other.fd() : -1, 0) == start);
  if (present.of_file) CHECK(::ftruncate(other.fd(), 0) == 0);
  auto* touched = const_cast<volatile char*>(present.before < 0 ? start : address);
  if (access == PROT_WRITE) {
    *touched = 'w';
  } else {
    CHECK(*touched == 0);
  }
}

TEST_ALONE("what others map where a range of the runtime was traps, whatever it is") {
  const Former formers[] = {
      {"a file", PROT_READ, MAP_SHARED, true, false, false},
      {"a private file", kReadWrite, MAP_PRIVATE, true, false, false},
      {"memory", kReadWrite, kAnonymous, false, false, false},
      {"shared memory", kReadWrite, MAP_SHARED | MAP_ANONYMOUS, false, false, false},
      {"read-only memory", PROT_READ, kAnonymous, false, false, false},
      {"a closed file", PROT_READ, MAP_SHARED, true, true, false},
      {"closed memory", kReadWrite, kAnonymous, false, true, false},
  };
  const Present presents[] = {
      {"a guard page", PROT_NONE, false, 0, 0},
      {"a larger one", PROT_NONE, false, 1, 1},
      {"one that begins before", PROT_NONE, false, 1, 0},
      {"one that ends behind", PROT_NONE, false, 0, 1},
      {"a smaller one", PROT_NONE, false, -1, -1},
      {"a lost file", PROT_READ, true, 0, 0},
      {"a larger lost file", PROT_READ, true, 1, 1},
  };
  for (const Former& former : formers) {
    for (const Present& present : presents) {
      for (int access : {PROT_READ, PROT_WRITE}) {
        const End end = in_child([&] { touch_after(former, present, access); });
        const bool bus = present.of_file && access == PROT_READ;
        if (end.signal == (bus ? SIGBUS : SIGSEGV)) continue;
        std::printf("%s at %s: %d\n", present.name, former.name, access);
        memmap::test::fail(__FILE__, __LINE__, "traps");
      }
    }
  }
}

TEST_ALONE("after zeros of the guard, too, what is larger or a file traps") {
  const Former formers[] = {
      {"a lost file", PROT_READ, MAP_SHARED, true, false, true},
      {"a closed file", PROT_READ, MAP_SHARED, true, true, true},
  };
  const Present presents[] = {
      {"a larger guard page", PROT_NONE, false, 1, 1},
      {"one that ends behind", PROT_NONE, false, 0, 1},
      {"a lost file", PROT_READ, true, 0, 0},
  };
  for (const Former& former : formers) {
    for (const Present& present : presents) {
      const End end = in_child([&] { touch_after(former, present, PROT_READ); });
      CHECK(end.signal == (present.of_file ? SIGBUS : SIGSEGV));
    }
  }
  // Closed pages can be read once they have been replaced.
  const Present guard = {"a guard page", PROT_NONE, false, 0, 0};
  CHECK(in_child([&] { touch_after(formers[1], guard, PROT_READ); }).signal == SIGSEGV);
}

TEST_ALONE("what others map over memory of ours traps like theirs") {
  const size_t page = page_size();
  const auto over = [&](int prot, int flags, int wanted, int by) {
    return in_child([=] {
      TemporaryFile file(4 * page, 'f');
      CHECK(!arm_guard().failed());
      const int fd = (flags & MAP_ANONYMOUS) != 0 ? -1 : file.fd();
      void* mapped = ::mmap(nullptr, 4 * page, prot, flags, fd, 0);
      auto range = note(mapped, 4, prot, flags, fd);
      char* address = range->begin() + page;
      CHECK(::mmap(address, page, by, kAnonymous | MAP_FIXED, -1, 0) == address);
      if (wanted == PROT_WRITE) *static_cast<volatile char*>(address) = 'w';
      if (wanted == PROT_READ) CHECK(*static_cast<volatile char*>(address) == 0);
    });
  };
  for (int flags : {MAP_SHARED, MAP_PRIVATE, kAnonymous, MAP_SHARED | MAP_ANONYMOUS}) {
    CHECK(over(kReadWrite, flags, PROT_READ, PROT_NONE).signal == SIGSEGV);
    CHECK(over(kReadWrite, flags, PROT_WRITE, PROT_READ).signal == SIGSEGV);
  }
  CHECK(over(PROT_READ, MAP_SHARED, PROT_WRITE, PROT_READ).signal == SIGSEGV);
}

}  // namespace
