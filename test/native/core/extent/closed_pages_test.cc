#include "core/extent/closed_pages.h"

#include <signal.h>
#include <sys/mman.h>

#include <memory>

#include "check.h"
#include "child.h"
#include "core/guard/guard.h"
#include "core/mapping/address_range.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::FaultCounts;
using memmap::core::FaultKind;
using memmap::core::is_closed;
using memmap::core::page_size;
using memmap::core::place_closed_pages;
using memmap::test::all_bytes;
using memmap::test::Asked;
using memmap::test::closed_at;
using memmap::test::counts_at;
using memmap::test::End;
using memmap::test::in_child;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::map_foreign;
using memmap::test::note;
using memmap::test::number;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

// Anonymous, or of the file.
char* map_pages(size_t pages, int fd = -1) {
  if (fd < 0) return map_foreign(pages);
  void* mapped = ::mmap(nullptr, pages * page_size(), kReadWrite, MAP_SHARED, fd, 0);
  return static_cast<char*>(mapped);
}

bool says_closed(const void* address) {
  const Asked asked(address);
  return asked.found && is_closed(asked.vma);
}

TEST("closed pages beside each other are one mapping of the kernel") {
  const size_t page = page_size();
  char* address = map_pages(8);
  // In any order.
  for (size_t i : {2U, 0U, 5U, 1U, 4U, 3U}) {
    CHECK(!place_closed_pages(address + (i + 1) * page, page).failed());
  }
  const memmap::test::Vma vma = vma_at(address + page);
  CHECK(closed_at(address + page));
  CHECK(vma.start == number(address) + page && vma.end == number(address) + 7 * page);
  CHECK(!closed_at(address) && !closed_at(address + 7 * page));
  ::munmap(address, 8 * page);
}

TEST("closed pages that the kernel refuses take no other descriptor") {
  char* address = map_pages(1);
  CHECK(!place_closed_pages(address, page_size()).failed());
  const int descriptors = memmap::test::open_descriptors();
  const memmap::test::Refuse refuse(memmap::test::Call::kMmap, MAP_NORESERVE | MAP_FIXED,
                                    EINVAL);
  CHECK(place_closed_pages(address, page_size()).value == EINVAL);
  CHECK(refuse.refused() == 1);
  CHECK(memmap::test::open_descriptors() == descriptors);
  ::munmap(address, page_size());
}

TEST("closed pages are told from all else that is mapped") {
  const size_t page = page_size();
  char* address = map_pages(1);
  CHECK(!says_closed(address));
  CHECK(!place_closed_pages(address, page).failed());
  CHECK(says_closed(address));
  ::munmap(address, page);
  CHECK(!says_closed(address));
  TemporaryFile file(page, 'f');
  char* of_file = map_pages(1, file.fd());
  CHECK(!says_closed(of_file));
  ::munmap(of_file, page);
  // Of the same name, but not the one.
  const memmap::sys::UniqueFd memfd(::memfd_create("memmap-closed", MFD_CLOEXEC));
  CHECK(::ftruncate(memfd.get(), static_cast<off_t>(page)) == 0);
  char* other = map_pages(1, memfd.get());
  CHECK(vma_at(other).path == "/memfd:memmap-closed (deleted)");
  CHECK(!says_closed(other));
  ::munmap(other, page);
}

TEST("a touch of closed pages of a range reads zeros in all of it, and counts once") {
  const size_t page = page_size();
  auto range = note(map_pages(3), 3, kReadWrite, kAnonymous);
  char* address = range->begin();
  for (size_t i = 0; i < 3 * page; i++) address[i] = 'a';
  CHECK(!range->vacate(0, 3 * page).failed());
  CHECK(closed_at(address) && closed_at(address + 2 * page));
  const FaultCounts& counts = *counts_at(address);
  const auto kind = static_cast<size_t>(FaultKind::kAfterClose);
  CHECK(counts.all == 0);
  CHECK(address[page] == 0);
  CHECK(counts.all == 1 && counts.counts[kind] == 1);
  CHECK(counts.offsets[kind] == 0 && counts.lengths[kind] == 3 * page);
  CHECK(!closed_at(address) && vma_at(address).inode == 0);
  CHECK(all_bytes(address, 3 * page, 0));
  address[0] = 'w';
  CHECK(counts.all == 1);
}

TEST("a write to closed pages takes effect for whoever reads them, and nobody else") {
  const size_t page = page_size();
  TemporaryFile file(page, 'f');
  auto range = note(map_pages(1, file.fd()), 1, kReadWrite, MAP_SHARED, file.fd());
  CHECK(!range->vacate(0, page).failed());
  range->begin()[5] = 'w';
  CHECK(range->begin()[5] == 'w' && range->begin()[4] == 0);
  CHECK(file.all('f'));
  CHECK(counts_at(range->begin())->all == 1);
}

TEST("a fault on closed pages of one range leaves its closed neighbours closed") {
  const size_t page = page_size();
  char* address = map_pages(3);
  auto one = note(address, 1, kReadWrite, kAnonymous);
  auto two = note(address + page, 1, kReadWrite, kAnonymous);
  auto three = note(address + 2 * page, 1, kReadWrite, kAnonymous);
  for (const auto& range : {one, two, three}) CHECK(!range->vacate(0, page).failed());
  CHECK(vma_at(address).end - vma_at(address).start >= 3 * page);
  CHECK(address[page] == 0);
  CHECK(closed_at(address) && !closed_at(address + page) &&
        closed_at(address + 2 * page));
  CHECK(counts_at(address)->all == 0 && counts_at(address + 2 * page)->all == 0);
}

TEST_ALONE("closed pages that no range knows are nobody's to answer for") {
  const End end = in_child([] {
    CHECK(!memmap::core::arm_guard().failed());
    char* address = map_pages(2);
    CHECK(!place_closed_pages(address, 2 * page_size()).failed());
    CHECK(address[page_size()] == 0);
  });
  CHECK(end.signal == SIGSEGV);
}

TEST_ALONE("closed pages are ENOSYS before they have been made, and replace nothing") {
  char* address = map_pages(1);
  address[0] = 'a';
  CHECK(place_closed_pages(address, page_size()).value == ENOSYS);
  CHECK(address[0] == 'a');
}

}  // namespace
