// Stray accesses to pages that are moved then: what comes back at the new addresses. All
// faults are real ones.
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "check.h"
#include "core/mapping/mapping.h"
#include "core/mapping/remap.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "subject.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::FaultKind;
using memmap::core::Mapping;
using memmap::core::page_size;
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
      Refuse full(Call::kMremap, MREMAP_MAYMOVE, EINVAL, calls, 1);
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

}  // namespace
