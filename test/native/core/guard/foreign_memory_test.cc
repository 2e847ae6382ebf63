// Memory of others at addresses that are or were ours: nothing of theirs is fixed up.
#include <signal.h>
#include <sys/mman.h>

#include <cstdio>

#include "check.h"
#include "child.h"
#include "core/guard/guard.h"
#include "core/mapping/address_range.h"
#include "core/page.h"
#include "mappings.h"
#include "temporary.h"

namespace {

using memmap::core::arm_guard;
using memmap::core::page_size;
using memmap::test::End;
using memmap::test::free_addresses;
using memmap::test::in_child;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::note;
using memmap::test::Owner;
using memmap::test::TemporaryFile;

constexpr int kPlaced = MAP_FIXED_NOREPLACE;

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
  auto range = note(address, kPages, former.prot, former.flags, fd, Owner::kRuntime);
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

TEST_ALONE("what others map of the same file is theirs if it is shared otherwise") {
  const size_t page = page_size();
  for (const bool shared : {false, true}) {
    const End end = in_child([&] {
      TemporaryFile file(2 * page, 'f');
      CHECK(!arm_guard().failed());
      const int ours = shared ? MAP_SHARED : MAP_PRIVATE;
      const int theirs = shared ? MAP_PRIVATE : MAP_SHARED;
      void* mapped = ::mmap(nullptr, 2 * page, PROT_READ, ours, file.fd(), 0);
      auto range = note(mapped, 2, PROT_READ, ours, file.fd(), Owner::kRuntime);
      char* address = range->begin();
      CHECK(::mmap(address, 2 * page, PROT_READ, theirs | MAP_FIXED, file.fd(), 0) ==
            address);
      *static_cast<volatile char*>(address) = 'w';
    });
    CHECK(end.signal == SIGSEGV);
  }
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
