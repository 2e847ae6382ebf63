// Memory under attack: by calls that reach further than they seem to, by others' pages in
// the midst of ours, by limits.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "check.h"
#include "child.h"
#include "core/extent/closed_pages.h"
#include "core/guard/guard.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/stash.h"
#include "mappings.h"
#include "subject.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::core::PageReplacementLock;
using memmap::sys::Result;
using memmap::test::all_bytes;
using memmap::test::closed_at;
using memmap::test::End;
using memmap::test::in_child;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::load;
using memmap::test::map_foreign;
using memmap::test::note;
using memmap::test::number;
using memmap::test::Owner;
using memmap::test::pages;
using memmap::test::store;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

TEST_ALONE("after mlockall(2) of what is to come a fault is fixed up beyond the limit") {
  CHECK(in_child([] {
          const size_t page = page_size();
          TemporaryFile file(256 * page, 'f');
          Subject lost(256, kReadWrite, MAP_SHARED, file.fd());
          Subject closed(256, kReadWrite, kAnonymous);
          const auto view = closed.mapping().range();
          const rlimit few = {16 * page, 16 * page};
          CHECK(::setrlimit(RLIMIT_MEMLOCK, &few) == 0);
          CHECK(::syscall(SYS_setresuid, 65534, 65534, 65534) == 0 || ::getuid() != 0);
          CHECK(::mlockall(MCL_FUTURE) == 0);
          CHECK(::ftruncate(file.fd(), 0) == 0);
          CHECK(load(lost.at(9)) == 0);
          char* at = closed.at(0);
          CHECK(!closed.mapping().close().failed() && load(at) == 0);
        }).well());
}

TEST_ALONE(
    "closed pages are known as such when their descriptor is another file's by now") {
  const size_t page = page_size();
  Subject first(1, kReadWrite, kAnonymous);
  int fd = -1;
  for (int i = 3; i < 64; i++) {
    char link[64];
    char target[64] = {};
    static_cast<void>(std::snprintf(link, sizeof link, "/proc/self/fd/%d", i));
    const ssize_t length = ::readlink(link, target, sizeof target - 1);
    if (length > 0 && std::strstr(target, "memmap-closed") != nullptr) fd = i;
  }
  CHECK(fd >= 0);
  TemporaryFile other(4 * page, 'f');
  for (const int instead : {other.fd(), -1}) {
    if (instead < 0) {
      ::close(fd);
    } else {
      CHECK(::dup2(instead, fd) == fd);
    }
    Subject subject(2, kReadWrite, kAnonymous);
    const auto view = subject.mapping().range();
    char* at = subject.at(0);
    store(at, 'a');
    CHECK(!subject.mapping().close().failed());
    CHECK(std::strcmp(vma_at(at).permissions, "---p") == 0);
    CHECK(load(at) == 0 && load(at + page) == 0);
    store(at, 'w');
  }
  CHECK(other.all('f'));
}

TEST("memory of others in the lost end of a file stays") {
  const size_t page = page_size();
  TemporaryFile file(16 * page, 'f');
  Subject subject(16, kReadWrite, MAP_SHARED, file.fd());
  constexpr int kFlags = kAnonymous | MAP_FIXED;
  void* others = ::mmap(subject.at(12), page, kReadWrite, kFlags, -1, 0);
  CHECK(others == subject.at(12));
  store(subject.at(12), 'o');
  CHECK(::ftruncate(file.fd(), static_cast<off_t>(page)) == 0);
  CHECK(load(subject.at(3)) == 0 && subject.lost_from() == page);
  CHECK(load(subject.at(15)) == 0 && subject.lost_from() == page);
  CHECK(load(subject.at(12)) == 'o');
}

TEST("memory of others inside what the engine has unmapped is not the guard's") {
  const size_t page = page_size();
  for (const int prot : {PROT_NONE, PROT_READ}) {
    for (const bool strayed : {false, true}) {
      const End end = in_child([&] {
        char* address = map_foreign(16);
        auto range = note(address, 16, kReadWrite, kAnonymous, -1, Owner::kRuntime);
        CHECK(!range->protect(0, 16 * page, prot).failed());
        if (strayed) store(address, 'w');
        ::munmap(address, 16 * page);
        void* others =
            ::mmap(address + 4 * page, 2 * page, prot, kAnonymous | MAP_FIXED, -1, 0);
        CHECK(others == address + 4 * page);
        store(address + 4 * page, 'w');
      });
      CHECK(end.signal == SIGSEGV);
    }
  }
}

TEST("where a mapping was placed and nobody reaches it any more, a reservation traps") {
  const size_t page = page_size();
  for (const bool viewed : {false, true}) {
    const End end = in_child([&] {
      Result<Mapping> space = Mapping::reserve(16 * page);
      Result<Mapping> placed =
          Mapping::create(pages(4, space->address() + 4 * page, MAP_FIXED));
      auto view = placed->range();
      char* at = placed->address();
      if (!viewed) view.reset();
      CHECK(!placed->close().failed());
      if (viewed) {
        CHECK(load(at) == 0);
        view.reset();
      }
      store(at + page, 'w');
    });
    CHECK(end.signal == SIGSEGV);
  }
}

TEST("a view of what was placed before keeps the addresses of what was placed since") {
  const size_t page = page_size();
  Result<Mapping> space = Mapping::reserve(16 * page);
  char* at = space->address() + 4 * page;
  std::shared_ptr<memmap::core::AddressRange> view;
  for (size_t count : {8U, 4U}) {
    Result<Mapping> placed = Mapping::create(pages(count, at, MAP_FIXED));
    if (view == nullptr) view = placed->range();
    CHECK(!placed->close().failed());
  }
  for (size_t i = 0; i < 8; i++) CHECK(load(at + i * page) == 0);
}

TEST("closing a mapping leaves what was placed in the midst of it") {
  const size_t page = page_size();
  Subject whole(8, kReadWrite, kAnonymous);
  const auto view = whole.mapping().range();
  char* at = whole.at(0);
  Result<Mapping> placed = Mapping::create(pages(2, at + 3 * page, MAP_FIXED));
  CHECK(bool{placed});
  std::memset(placed->address(), 'p', 2 * page);
  CHECK(!whole.mapping().close().failed());
  CHECK(all_bytes(at + 3 * page, 2 * page, 'p'));
  CHECK(closed_at(at) && closed_at(at + 7 * page));
}

TEST("secret memory has its bytes again after a stray write") {
  const size_t page = page_size();
  const long made = ::syscall(SYS_memfd_secret, 0);
  if (made < 0) return;
  const memmap::sys::UniqueFd fd(static_cast<int>(made));
  CHECK(::ftruncate(fd.get(), static_cast<off_t>(2 * page)) == 0);
  Subject subject(2, kReadWrite, MAP_SHARED, fd.get());
  Subject other(2, kReadWrite, MAP_SHARED, fd.get());
  std::memset(subject.at(0), 's', 2 * page);
  CHECK(!subject.protect(PROT_READ).failed());
  store(subject.at(1), 'w');
  CHECK(!subject.protect(kReadWrite).failed());
  CHECK(all_bytes(subject.at(0), 2 * page, 's') && !subject.fixed_up());
  store(subject.at(0), 'n');
  CHECK(load(other.at(0)) == 'n');
}

TEST("as many stray accesses can be undone as there are pages") {
  const PageReplacementLock lock;
  constexpr size_t kMany = (size_t{1} << 16) + 8;
  const size_t page = page_size();
  char* address = map_foreign(1, PROT_NONE);
  memmap::core::Stash* list = nullptr;
  size_t kept = 0;
  while (kept < kMany && stash_copy(list, number(address), page, page)) kept += 1;
  CHECK(kept == kMany);
  drop_stash(list);
  ::munmap(address, page);
}

TEST(
    "memory that was advised in parts can have another length, alone or under a holder") {
  const size_t page = page_size();
  for (const bool held : {false, true}) {
    for (size_t length : {32U, 6U}) {
      Subject subject(16, kReadWrite, kAnonymous);
      std::memset(subject.at(0), 'a', 16 * page);
      std::shared_ptr<memmap::core::AddressRange> view;
      if (held) view = subject.mapping().range();
      CHECK(::madvise(subject.at(4), 2 * page, MADV_DONTFORK) == 0);
      CHECK(::madvise(subject.at(9), 2 * page, MADV_DONTDUMP) == 0);
      CHECK(!subject.mapping().resize(length * page).failed());
      CHECK(subject.length() == length * page);
      const size_t kept = length < 16 ? length : 16;
      CHECK(all_bytes(subject.at(0), kept * page, 'a'));
      if (length > 16) CHECK(all_bytes(subject.at(16), (length - 16) * page, 0));
    }
  }
}

TEST(
    "a block of a private mapping that could not be had is the file's again, with its "
    "writes") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  Subject subject(8, kReadWrite, MAP_PRIVATE, file.fd());
  store(subject.at(1), 'w');
  // As the guard replaces a page that cannot be had.
  {
    const PageReplacementLock lock;
    memmap::core::Extent* extent = memmap::core::find_extent(number(subject.at(0)));
    extent->broken = extent->fixed_up = true;
    constexpr int kFlags = kAnonymous | MAP_FIXED;
    CHECK(::mmap(subject.at(4), 2 * page, kReadWrite, kFlags, -1, 0) == subject.at(4));
  }
  subject.at(5)[7] = 'o';
  CHECK(load(subject.at(4)) == 0 && subject.fixed_up());
  const Mapping::Source source = {file.fd(), 0, MAP_PRIVATE, true};
  CHECK(!subject.mapping().restore(source, kReadWrite).failed());
  CHECK(!subject.fixed_up());
  CHECK(load(subject.at(1)) == 'w' && load(subject.at(1) + 1) == 'f');
  CHECK(all_bytes(subject.at(4), page, 'f') && subject.at(5)[7] == 'o');
  CHECK(!subject.mapping().resize(16 * page).failed());
  CHECK(load(subject.at(1)) == 'w');
}

}  // namespace
