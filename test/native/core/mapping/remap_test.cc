#include "core/mapping/remap.h"

#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <utility>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::core::remap;
using memmap::sys::Result;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::closed_at;
using memmap::test::free_addresses;
using memmap::test::Ignore;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::map_foreign;
using memmap::test::mapped;
using memmap::test::MoveOne;
using memmap::test::NoAddressSpace;
using memmap::test::note;
using memmap::test::Owner;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

using Range = std::shared_ptr<AddressRange>;

constexpr int kFixed = MREMAP_MAYMOVE | MREMAP_FIXED;

// Pages that begin with 'a', 'b', 'c', ...
Range lettered(size_t pages) {
  char* at = map_foreign(pages);
  for (size_t i = 0; i < pages; i++) at[i * page_size()] = static_cast<char>('a' + i);
  return note(at, pages, kReadWrite, kAnonymous);
}

// Whether the page begins with the letter.
bool letter(const char* bytes, size_t page, char wanted) {
  return bytes[page * page_size()] == wanted;
}

TEST("remap refuses lengths of zero, of no rounding, and FIXED without MAYMOVE") {
  const size_t page = page_size();
  Range range = lettered(2);
  char* at = range->begin();
  CHECK(remap(range, at, 0, page, MREMAP_MAYMOVE, nullptr).error().value == EINVAL);
  CHECK(remap(range, at, page, 0, MREMAP_MAYMOVE, nullptr).error().value == EINVAL);
  CHECK(remap(range, at, page, SIZE_MAX, MREMAP_MAYMOVE, nullptr).error().value ==
        EINVAL);
  CHECK(remap(range, at, page, page, MREMAP_FIXED, free_addresses(1)).error().value ==
        EINVAL);
  CHECK(letter(at, 0, 'a') && letter(at, 1, 'b'));
}

TEST("a shrinking remap vacates the tail, and no hole is left") {
  const size_t page = page_size();
  Range range = lettered(4);
  char* at = range->begin();
  Result<Mapping> mapping = remap(range, at, 4 * page, page, 0, nullptr);
  CHECK(mapping && mapping->address() == at && mapping->length() == page);
  CHECK(letter(at, 0, 'a') && all_bytes(at + page, 3 * page, 0));
}

TEST("a remap grows in place where the addresses behind are free") {
  const size_t page = page_size();
  char* at = free_addresses(3);
  void* got = ::mmap(at, page, PROT_READ | PROT_WRITE, kAnonymous | MAP_FIXED, -1, 0);
  Range range = note(got, 1, kReadWrite, kAnonymous);
  at[0] = 'a';
  Result<Mapping> mapping = remap(range, at, page, 3 * page, 0, nullptr);
  CHECK(mapping && mapping->address() == at && range->length() == 3 * page);
  CHECK(at[0] == 'a' && at[3 * page - 1] == 0);
  range.reset();
  mapping = Mapping();
  CHECK(!mapped(at, 3 * page));
}

TEST("a remap that may not move is ENOMEM where the addresses behind are taken") {
  const size_t page = page_size();
  Range range = lettered(3);
  char* at = range->begin();
  CHECK(remap(range, at, page, 2 * page, 0, nullptr).error().value == ENOMEM);
  CHECK(letter(at, 0, 'a') && letter(at, 1, 'b') && letter(at, 2, 'c'));
}

TEST("a remap that moves leaves zeros behind") {
  const size_t page = page_size();
  Range range = lettered(3);
  char* at = range->begin();
  Result<Mapping> mapping = remap(range, at, 2 * page, 4 * page, MREMAP_MAYMOVE, nullptr);
  CHECK(mapping && mapping->range() != range && mapping->length() == 4 * page);
  CHECK(letter(mapping->address(), 0, 'a') && letter(mapping->address(), 1, 'b'));
  CHECK(all_bytes(at, 2 * page, 0) && letter(at, 2, 'c'));
}

TEST("a remap onto free addresses takes them, and leaves zeros behind") {
  const size_t page = page_size();
  Range range = lettered(2);
  char* to = free_addresses(2);
  Result<Mapping> mapping = remap(range, range->begin(), 2 * page, 2 * page, kFixed, to);
  CHECK(mapping && mapping->address() == to);
  CHECK(letter(to, 0, 'a') && letter(to, 1, 'b'));
  CHECK(closed_at(range->begin()) && closed_at(range->begin() + page));
  CHECK(all_bytes(range->begin(), 2 * page, 0));
  CHECK(!mapping->close().failed());
  CHECK(!mapped(to, 2 * page));
}

TEST("a remap onto foreign memory is EEXIST and changes no byte") {
  const size_t page = page_size();
  Range range = lettered(1);
  void* foreign = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, kAnonymous, -1, 0);
  static_cast<char*>(foreign)[0] = 'f';
  for (int flags : {kFixed, kFixed | MREMAP_DONTUNMAP}) {
    CHECK(remap(range, range->begin(), page, page, flags, foreign).error().value ==
          EEXIST);
    CHECK(letter(range->begin(), 0, 'a') && static_cast<char*>(foreign)[0] == 'f');
    Ignore old_kernel(MAP_FIXED_NOREPLACE);
    CHECK(remap(range, range->begin(), page, page, flags, foreign).error().value ==
          EEXIST);
    CHECK(letter(range->begin(), 0, 'a') && static_cast<char*>(foreign)[0] == 'f');
  }
  ::munmap(foreign, page);
}

TEST("a remap onto a range of ours replaces its pages") {
  const size_t page = page_size();
  Range from = lettered(1);
  Range to = lettered(3);
  char* middle = to->begin() + page;
  Result<Mapping> mapping = remap(from, from->begin(), page, page, kFixed, middle);
  CHECK(mapping && mapping->range() == to);
  CHECK(letter(to->begin(), 0, 'a') && letter(to->begin(), 1, 'a'));
  CHECK(letter(to->begin(), 2, 'c') && letter(from->begin(), 0, 0));
}

TEST("a remap of what has been unmapped is EFAULT, and replaces nothing") {
  const size_t page = page_size();
  for (int flags : {0, MREMAP_MAYMOVE, kFixed}) {
    Range from = lettered(3);
    Range to = lettered(3);
    CHECK(!from->vacate(page, page).failed());
    auto moved = remap(from, from->begin(), 3 * page, 3 * page, flags, to->begin());
    CHECK(!moved && moved.error().value == EFAULT);
    CHECK(letter(from->begin(), 0, 'a') && letter(from->begin(), 2, 'c'));
    CHECK(letter(from->begin(), 1, 0) && letter(to->begin(), 1, 'b'));
  }
}

TEST(
    "a remap of what has not been placed in a reservation is EFAULT, and replaces "
    "nothing") {
  const size_t page = page_size();
  auto space = Mapping::reserve(4 * page);
  auto target = Mapping::create(memmap::test::pages(4));
  std::memset(target->address(), 't', 4 * page);
  for (int flags : {kFixed, kFixed | MREMAP_DONTUNMAP}) {
    auto moved = remap(space->range(), space->address(), 2 * page, 4 * page, flags,
                       target->address());
    CHECK(!moved && moved.error().value == EFAULT);
  }
  // Nor what is placed in a part of it only.
  auto request = memmap::test::pages(1, space->address(), MAP_FIXED);
  auto placed = Mapping::create(request);
  CHECK(placed);
  auto moved = remap(space->range(), space->address(), 2 * page, 4 * page, kFixed,
                     target->address());
  CHECK(!moved && moved.error().value == EFAULT);
  CHECK(all_bytes(target->address(), 4 * page, 't'));
}

TEST("a remap onto the pages it moves is EINVAL and changes no byte") {
  const size_t page = page_size();
  Range range = lettered(4);
  char* at = range->begin();
  CHECK(remap(range, at, 2 * page, 2 * page, kFixed, at + page).error().value == EINVAL);
  CHECK(remap(range, at + page, 2 * page, 2 * page, kFixed, at).error().value == EINVAL);
  CHECK(remap(range, at + page, page, 3 * page, kFixed, at).error().value == EINVAL);
  CHECK(remap(range, at, 2 * page, 2 * page, kFixed, at).error().value == EINVAL);
  for (size_t i = 0; i < 4; i++) CHECK(letter(at, i, static_cast<char>('a' + i)));
  // Beside each other is fine.
  Result<Mapping> mapping = remap(range, at, 2 * page, 2 * page, kFixed, at + 2 * page);
  CHECK(mapping && letter(at, 2, 'a') && letter(at, 3, 'b') && letter(at, 0, 0));
}

TEST("a remap that fails half-way puts the pages back") {
  const size_t page = page_size();
  Range range = lettered(2);
  char* at = range->begin();
  char* to = free_addresses(4);
  for (size_t length : {page, 2 * page, 4 * page}) {
    Refuse no_landing(Call::kMremap, MREMAP_FIXED, ENOMEM, 0, 1);
    CHECK(remap(range, at, 2 * page, length, kFixed, to).error().value == ENOMEM);
    CHECK(no_landing.refused() == 1);
    CHECK(letter(at, 0, 'a') && letter(at, 1, 'b'));
    CHECK(!vma_at(to).mapped());
  }
}

TEST("a remap onto a range of ours that fails half-way leaves no hole there") {
  const size_t page = page_size();
  for (int flags : {kFixed, kFixed | MREMAP_DONTUNMAP}) {
    Range range = lettered(2);
    TemporaryFile file(4 * page, 'f');
    Result<Mapping> target = Mapping::create(memmap::test::pages_of(file));
    char* to = target->address();
    {
      // As a whole, and piece by piece.
      Refuse no_landing(Call::kMremap, MREMAP_FIXED, EFAULT, 0, 2);
      auto moved = remap(range, range->begin(), 2 * page, 2 * page, flags, to + page);
      CHECK(!moved && moved.error().value == EFAULT && no_landing.refused() == 2);
    }
    CHECK(letter(range->begin(), 0, 'a') && letter(range->begin(), 1, 'b'));
    CHECK(to[0] == 'f' && to[3 * page] == 'f');
    CHECK(closed_at(to + page) && all_bytes(to + page, 2 * page, 0));
  }
}

TEST("a remap of several mappings of the kernel leaves no hole for others on its way") {
  const size_t page = page_size();
  for (const size_t target : {0U, 5U}) {
    Range range = lettered(3);
    CHECK(::madvise(range->begin() + page, page, MADV_DONTDUMP) == 0);
    // Over what is ours there, or over nothing.
    Range host = target == 0 ? nullptr : lettered(target);
    char* to = host == nullptr ? free_addresses(3) : host->begin() + page;
    const MoveOne old_kernel([&] {
      constexpr int kFlags = kAnonymous | MAP_FIXED_NOREPLACE;
      static_cast<void>(::mmap(to, page, kReadWrite, kFlags, -1, 0));
    });
    Result<Mapping> moved = remap(range, range->begin(), 3 * page, 3 * page, kFixed, to);
    CHECK(moved && !old_kernel.happened());
    for (size_t i = 0; i < 3; i++) CHECK(letter(to, i, static_cast<char>('a' + i)));
  }
}

TEST("a remap for which the kernel lacks address space changes nothing") {
  const size_t page = page_size();
  Range range = lettered(2);
  Result<Mapping> target = Mapping::create(memmap::test::pages(2));
  char* to = target->address();
  to[0] = to[page] = 't';
  {
    const NoAddressSpace full;
    auto moved =
        remap(range, range->begin(), 2 * page, 2 * page, kFixed | MREMAP_DONTUNMAP, to);
    CHECK(!moved && moved.error().value == ENOMEM);
  }
  CHECK(letter(range->begin(), 0, 'a') && letter(range->begin(), 1, 'b'));
  CHECK(letter(to, 0, 't') && letter(to, 1, 't'));
}

TEST("MREMAP_DONTUNMAP moves the pages and leaves the old addresses mapped") {
  const size_t page = page_size();
  Range range = lettered(1);
  constexpr int kFlags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
  Result<Mapping> mapping = remap(range, range->begin(), page, page, kFlags, nullptr);
  CHECK(mapping && letter(mapping->address(), 0, 'a'));
  CHECK(mapped(range->begin(), page) && letter(range->begin(), 0, 0));
}

TEST("a remap of the runtime's memory never grows in place") {
  const size_t page = page_size();
  char* at = free_addresses(3);
  void* got = ::mmap(at, page, PROT_READ | PROT_WRITE, kAnonymous | MAP_FIXED, -1, 0);
  Range range = note(got, 1, kReadWrite, kAnonymous, -1, Owner::kRuntime);
  at[0] = 'a';
  CHECK(remap(range, at, page, 2 * page, 0, nullptr).error().value == ENOMEM);
  Result<Mapping> mapping = remap(range, at, page, 2 * page, MREMAP_MAYMOVE, nullptr);
  CHECK(mapping && mapping->address() != at && letter(mapping->address(), 0, 'a'));
  CHECK(mapping->range() != range && range->length() == page && at[0] == 0);
  ::munmap(at, page);
}

}  // namespace
