// Stray accesses, and what comes back after them: with access, from new addresses, in
// part or when something fails half-way. All faults are real ones.
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "check.h"
#include "core/mapping.h"
#include "core/page.h"
#include "core/page_replacement_lock.h"
#include "core/remap.h"
#include "kernel.h"
#include "mappings.h"
#include "subject.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::all_blocks;
using memmap::core::FaultKind;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::core::PageReplacementLock;
using memmap::core::remap;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::map_foreign;
using memmap::test::Refuse;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

uint32_t blocks() {
  const PageReplacementLock lock;
  return all_blocks();
}

TEST("a stray write to private memory changes a block, and its bytes come back") {
  const size_t page = page_size();
  for (int again : {PROT_READ, kReadWrite}) {
    const uint32_t before = blocks();
    Subject subject(64, kReadWrite, kAnonymous);
    std::memset(subject.at(0), 'a', subject.length());
    CHECK(!subject.protect(PROT_READ).failed());
    subject.at(20)[5] = 'w';
    CHECK(subject.counted(FaultKind::kReadOnly, 1, 16, 16) && blocks() == before + 1);
    CHECK(subject.at(20)[5] == 'w' && subject.at(20)[4] == 'a');
    subject.at(31)[0] = 'w';
    CHECK(subject.all() == 1);
    subject.at(32)[0] = 'w';
    CHECK(subject.counted(FaultKind::kReadOnly, 2, 32, 16));
    CHECK(!subject.protect(again).failed());
    CHECK(all_bytes(subject.at(0), 64 * page, 'a'));
    CHECK(!subject.fixed_up() && blocks() == before);
  }
}

TEST(
    "a stray write to a private mapping of a file that was written comes back as it "
    "was") {
  const size_t page = page_size();
  TemporaryFile file(32 * page, 'f');
  Subject subject(32, kReadWrite, MAP_PRIVATE, file.fd());
  subject.at(3)[0] = 'a';
  CHECK(!subject.protect(PROT_READ).failed());
  subject.at(3)[0] = 'w';
  subject.at(4)[0] = 'w';
  CHECK(!subject.protect(kReadWrite).failed());
  CHECK(subject.at(3)[0] == 'a' && subject.at(4)[0] == 'f' && file.all('f'));
}

TEST("a stray write to memory that never could be written leaves what is behind it") {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  for (int fd : {file.fd(), -1}) {
    Subject subject(4, PROT_READ, fd < 0 ? kAnonymous : MAP_PRIVATE, fd);
    subject.at(2)[0] = 'w';
    CHECK(subject.counted(FaultKind::kReadOnly, 1, 0, 4));
    CHECK(!subject.protect(kReadWrite).failed());
    CHECK(all_bytes(subject.at(0), 4 * page, fd < 0 ? '\0' : 'f'));
    // It can be written now: what it holds is its own from here on.
    std::memset(subject.at(0), 'a', 4 * page);
    CHECK(!subject.protect(PROT_READ).failed());
    subject.at(1)[0] = 'w';
    CHECK(subject.counted(FaultKind::kReadOnly, 2, 0, 4));
    CHECK(!subject.protect(PROT_READ).failed());
    CHECK(all_bytes(subject.at(0), 4 * page, 'a'));
  }
}

TEST("after a stray write to a shared mapping, writes reach the file again") {
  const size_t page = page_size();
  for (const bool path : {true, false}) {
    TemporaryFile file(4 * page, 'f');
    Subject subject(4, kReadWrite, MAP_SHARED, file.fd());
    if (!path) CHECK(::unlink(file.path()) == 0);
    CHECK(!subject.protect(PROT_READ).failed());
    subject.at(2)[0] = 'w';
    subject.at(3)[0] = 'w';
    CHECK(
        subject.counted(FaultKind::kReadOnly, path ? 1 : 2, path ? 0 : 3, path ? 4 : 1));
    CHECK(!subject.protect(kReadWrite).failed());
    CHECK(!subject.fixed_up() && vma_at(subject.at(2)).inode == file.inode());
    CHECK(all_bytes(subject.at(0), 4 * page, 'f') && file.all('f'));
    subject.at(2)[0] = 'x';
    CHECK(file.content()[2 * page] == 'x');
  }
}

TEST("access given to a part brings the bytes back, of the rest as well") {
  const size_t page = page_size();
  Subject subject(8, kReadWrite, kAnonymous);
  std::memset(subject.at(0), 'a', 8 * page);
  CHECK(!subject.protect(PROT_NONE).failed());
  CHECK(subject.at(1)[0] == 0);
  CHECK(!subject.mapping().range()->protect(2 * page, 2 * page, kReadWrite).failed());
  CHECK(all_bytes(subject.at(2), 2 * page, 'a'));
  CHECK(std::strcmp(vma_at(subject.at(1)).permissions, "---p") == 0);
  CHECK(std::strcmp(vma_at(subject.at(4)).permissions, "---p") == 0);
  // A fault beside it leaves the part as it is.
  subject.at(6)[0] = 'w';
  CHECK(subject.counted(FaultKind::kNoAccess, 2, 4, 4));
  CHECK(all_bytes(subject.at(2), 2 * page, 'a'));
  CHECK(!subject.protect(PROT_READ).failed());
  CHECK(all_bytes(subject.at(0), 8 * page, 'a'));
}

TEST("access cannot be given to a part that has been closed, nor to any of it then") {
  const size_t page = page_size();
  Subject subject(4, PROT_READ, kAnonymous);
  auto& range = *subject.mapping().range();
  CHECK(!range.vacate(2 * page, page).failed());
  for (int prot : {kReadWrite, PROT_NONE}) {
    CHECK(range.protect(0, 4 * page, prot).value == ENOMEM);
    CHECK(range.protect(2 * page, page, prot).value == ENOMEM);
  }
  CHECK(std::strcmp(vma_at(subject.at(0)).permissions, "r--p") == 0);
  CHECK(memmap::test::closed_at(subject.at(2)));
  CHECK(subject.at(2)[0] == 0);
  CHECK(!range.protect(0, 2 * page, kReadWrite).failed());
}

TEST("protect refuses what leaves the range and what is not at a page") {
  const size_t page = page_size();
  Subject subject(2, kReadWrite, kAnonymous);
  auto& range = *subject.mapping().range();
  CHECK(range.protect(0, 3 * page, PROT_NONE).value == EINVAL);
  CHECK(range.protect(1, page, PROT_NONE).value == EINVAL);
  CHECK(range.protect(2 * page, 1, PROT_NONE).value == EINVAL);
  CHECK(range.protect(0, SIZE_MAX, PROT_NONE).value == EINVAL);
  CHECK(!range.protect(page, 0, PROT_NONE).failed());
  CHECK(std::strcmp(vma_at(subject.at(0)).permissions, "rw-p") == 0);
  CHECK(!range.protect(page, 1, PROT_READ).failed());
  CHECK(std::strcmp(vma_at(subject.at(1)).permissions, "r--p") == 0);
}

TEST("access that cannot be given back yet loses nothing, and comes the next time") {
  const size_t page = page_size();
  Subject subject(48, kReadWrite, kAnonymous);
  std::memset(subject.at(0), 'a', subject.length());
  CHECK(!subject.protect(PROT_NONE).failed());
  // In three parts.
  for (size_t i : {0U, 16U, 32U}) {
    CHECK(!subject.mapping().range()->protect(i * page, 16 * page, PROT_READ).failed());
    subject.at(i + 3)[0] = 'w';
  }
  for (int calls : {0, 1}) {
    // Copies are written back, then the pages are moved: neither goes.
    Refuse full(Call::kMremap, MREMAP_FIXED, EAGAIN, calls);
    CHECK(::mprotect(subject.at(0), subject.length(), PROT_READ) == 0);
    CHECK(subject.protect(PROT_READ).value == EAGAIN);
  }
  CHECK(!subject.protect(PROT_READ).failed());
  CHECK(all_bytes(subject.at(0), subject.length(), 'a'));
}

TEST("what stray writes changed is undone before a mapping gets another length") {
  const size_t page = page_size();
  for (const bool held : {false, true}) {
    for (size_t count : {2U, 9U}) {
      TemporaryFile file(16 * page, 'f');
      Subject subject(4, kReadWrite, MAP_SHARED, file.fd());
      auto holder = held ? subject.mapping().range() : nullptr;
      const auto counts = subject.mapping().counts();
      CHECK(!subject.protect(PROT_READ).failed());
      subject.at(1)[0] = 'w';
      CHECK(!subject.mapping().resize(count * page).failed());
      CHECK(all_bytes(subject.at(0), count * page, 'f'));
      CHECK(std::strcmp(vma_at(subject.at(0)).permissions, "r--s") == 0);
      CHECK(subject.mapping().counts() == counts && counts->all == 1);
      // What was noted of the pages has gone with them.
      subject.at(count - 1)[0] = 'w';
      CHECK(counts->all == 2 && file.all('f'));
      CHECK(counts->lengths[static_cast<size_t>(FaultKind::kReadOnly)] == count * page);
      CHECK(!subject.protect(kReadWrite).failed());
      subject.at(1)[0] = 'x';
      CHECK(file.content()[page] == 'x');
    }
  }
}

TEST("a lost end is known at the new addresses, too") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  Subject subject(8, PROT_READ, MAP_SHARED, file.fd());
  auto holder = subject.mapping().range();
  CHECK(::ftruncate(file.fd(), 0) == 0);
  CHECK(subject.at(7)[0] == 0 && subject.lost_from() == 0);
  CHECK(!subject.mapping().resize(6 * page).failed());
  CHECK(subject.fixed_up() && subject.lost_from() == 0);
  CHECK(all_bytes(subject.at(0), 6 * page, 0));
  // The file has grown back, and comes back.
  const std::string bytes(6 * page, 'g');
  CHECK(::pwrite(file.fd(), bytes.data(), bytes.size(), 0) > 0);
  const Mapping::Source source = {file.fd(), 0, MAP_SHARED, true};
  CHECK(!subject.mapping().restore(source, PROT_READ).failed());
  CHECK(!subject.fixed_up() && all_bytes(subject.at(0), 6 * page, 'g'));
}

TEST("what stray writes changed is undone before a remap, whichever") {
  const size_t page = page_size();
  for (int flags : {0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED,
                    MREMAP_MAYMOVE | MREMAP_DONTUNMAP}) {
    TemporaryFile file(8 * page, 'f');
    Subject subject(4, kReadWrite, MAP_SHARED, file.fd());
    const auto counts = subject.mapping().counts();
    CHECK(!subject.protect(PROT_READ).failed());
    subject.at(1)[0] = 'w';
    const bool fixed = (flags & MREMAP_FIXED) != 0;
    // Shrunk in place, grown elsewhere, or of the same length.
    const size_t count = flags == 0 ? 2 : flags == MREMAP_MAYMOVE ? 6 : 4;
    char* to = fixed ? memmap::test::free_addresses(count) : nullptr;
    auto moved = remap(subject.mapping().range(), subject.at(0), 4 * page, count * page,
                       flags, to);
    CHECK(moved && moved->length() == count * page);
    char* address = moved->address();
    CHECK(all_bytes(address, count * page, 'f'));
    CHECK(std::strcmp(vma_at(address).permissions, "r--s") == 0);
    CHECK(moved->counts() == counts);
    address[page] = 'w';
    CHECK(counts->all == 2 && file.all('f'));
    const auto offset = static_cast<size_t>(address - moved->range()->begin());
    CHECK(!moved->range()->protect(offset, count * page, kReadWrite).failed());
    CHECK(address[page] == 'f');
    address[page] = 'x';
    CHECK(file.content()[page] == 'x');
  }
}

TEST("a remap that fails half-way loses no byte, of a stray write or otherwise") {
  const size_t page = page_size();
  Subject subject(4, kReadWrite, kAnonymous);
  std::memset(subject.at(0), 'a', 4 * page);
  for (int calls = 0; calls < 4; calls++) {
    CHECK(!subject.protect(PROT_NONE).failed());
    CHECK(subject.at(2)[0] == 0);
    char* to = memmap::test::free_addresses(8);
    {
      Refuse full(Call::kMremap, 0, EFAULT, calls, 1);
      const bool moved{remap(subject.mapping().range(), subject.at(0), 4 * page, 8 * page,
                             MREMAP_MAYMOVE | MREMAP_FIXED, to)};
      CHECK(moved == (full.refused() == 0));
      if (moved) break;
      CHECK(!vma_at(to).mapped());
    }
    CHECK(!subject.protect(kReadWrite).failed());
    CHECK(all_bytes(subject.at(0), 4 * page, 'a'));
  }
}

TEST("what stray writes changed is undone before the pages move onto the runtime's") {
  const size_t page = page_size();
  char* reserved = map_foreign(4);
  Subject subject(4, kReadWrite, kAnonymous);
  const auto counts = subject.mapping().counts();
  std::memset(subject.at(0), 'a', 4 * page);
  CHECK(!subject.protect(PROT_READ).failed());
  subject.at(1)[0] = 'w';
  CHECK(!subject.mapping().overlay(reserved).failed());
  CHECK(subject.at(0) == reserved && all_bytes(reserved, 4 * page, 'a'));
  CHECK(std::strcmp(vma_at(reserved).permissions, "r--p") == 0);
  reserved[0] = 'w';
  CHECK(subject.mapping().counts() == counts && counts->all == 2);
  CHECK(!subject.protect(kReadWrite).failed());
  CHECK(all_bytes(reserved, 4 * page, 'a'));
  ::munmap(reserved, 4 * page);
}

TEST("pages of MADV_GUARD_INSTALL read zeros, and are guards again with access") {
  constexpr int kGuardInstall = 102;
  const size_t page = page_size();
  Subject subject(4, kReadWrite, kAnonymous);
  std::memset(subject.at(0), 'a', 4 * page);
  if (::madvise(subject.at(1), page, kGuardInstall) != 0) {
    SKIP("MADV_GUARD_INSTALL needs Linux 6.13");
  }
  CHECK(all_bytes(subject.at(1), page, 0));
  CHECK(subject.counted(FaultKind::kNoAccess, 1, 1, 1));
  subject.at(1)[0] = 'w';
  CHECK(subject.all() == 1);
  CHECK(all_bytes(subject.at(0), page, 'a') && all_bytes(subject.at(2), 2 * page, 'a'));
  CHECK(!subject.protect(kReadWrite).failed());
  CHECK(subject.at(1)[0] == 0 && subject.all() == 2);
}

}  // namespace
