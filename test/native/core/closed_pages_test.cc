#include "core/closed_pages.h"

#include <sys/mman.h>

#include <memory>

#include "check.h"
#include "core/address_range.h"
#include "core/guard.h"
#include "core/page.h"
#include "core/vma.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::fault_slot;
using memmap::core::FaultKind;
using memmap::core::FaultSlot;
using memmap::core::find_vma;
using memmap::core::is_closed;
using memmap::core::page_size;
using memmap::core::place_closed_pages;
using memmap::core::Vma;
using memmap::test::all_bytes;
using memmap::test::closed_at;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

char* map_pages(size_t pages, int fd = -1) {
  const int flags = fd < 0 ? kAnonymous : MAP_SHARED;
  void* mapped =
      ::mmap(nullptr, pages * page_size(), PROT_READ | PROT_WRITE, flags, fd, 0);
  return static_cast<char*>(mapped);
}

bool says_closed(const void* address) {
  const auto vma = std::make_unique<Vma>();
  return find_vma(number(address), *vma) && is_closed(*vma);
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
  auto range = AddressRange::take(map_pages(3), 3 * page, AddressRange::Owner::kMemmap);
  char* address = range->begin();
  for (size_t i = 0; i < 3 * page; i++) address[i] = 'a';
  CHECK(!range->vacate(0, 3 * page).failed());
  CHECK(closed_at(address) && closed_at(address + 2 * page));
  FaultSlot& slot = fault_slot(range->slot());
  const auto kind = static_cast<size_t>(FaultKind::kAfterClose);
  CHECK(slot.all == 0);
  CHECK(address[page] == 0);
  CHECK(slot.all == 1 && slot.counts[kind] == 1);
  CHECK(slot.offsets[kind] == 0 && slot.lengths[kind] == 3 * page);
  CHECK(!closed_at(address) && vma_at(address).inode == 0);
  CHECK(all_bytes(address, 3 * page, 0));
  address[0] = 'w';
  CHECK(slot.all == 1);
}

TEST("a write to closed pages takes effect for whoever reads them, and nobody else") {
  const size_t page = page_size();
  TemporaryFile file(page, 'f');
  auto range =
      AddressRange::take(map_pages(1, file.fd()), page, AddressRange::Owner::kMemmap);
  CHECK(!range->vacate(0, page).failed());
  range->begin()[5] = 'w';
  CHECK(range->begin()[5] == 'w' && range->begin()[4] == 0);
  CHECK(file.all('f'));
  CHECK(fault_slot(range->slot()).all == 1);
}

TEST("a fault on closed pages of one range leaves its closed neighbours closed") {
  const size_t page = page_size();
  char* address = map_pages(3);
  auto one = AddressRange::take(address, page, AddressRange::Owner::kMemmap);
  auto two = AddressRange::take(address + page, page, AddressRange::Owner::kMemmap);
  auto three = AddressRange::take(address + 2 * page, page, AddressRange::Owner::kMemmap);
  for (const auto& range : {one, two, three}) CHECK(!range->vacate(0, page).failed());
  CHECK(vma_at(address).end - vma_at(address).start >= 3 * page);
  CHECK(address[page] == 0);
  CHECK(closed_at(address) && !closed_at(address + page) &&
        closed_at(address + 2 * page));
  CHECK(fault_slot(one->slot()).all == 0 && fault_slot(three->slot()).all == 0);
}

TEST(
    "closed pages that the table has forgotten are counted for the process, a page "
    "each") {
  const size_t page = page_size();
  char* address = map_pages(2);
  CHECK(!place_closed_pages(address, 2 * page).failed());
  const uint32_t before = memmap::core::process_slot().all;
  CHECK(address[0] == 0);
  CHECK(memmap::core::process_slot().all == before + 1);
  CHECK(!closed_at(address) && closed_at(address + page));
  CHECK(address[page] == 0);
  CHECK(memmap::core::process_slot().all == before + 2);
  ::munmap(address, 2 * page);
}

TEST_ALONE("closed pages are ENOSYS before they have been made, and replace nothing") {
  char* address = map_pages(1);
  address[0] = 'a';
  CHECK(place_closed_pages(address, page_size()).value == ENOSYS);
  CHECK(address[0] == 'a');
}

}  // namespace
