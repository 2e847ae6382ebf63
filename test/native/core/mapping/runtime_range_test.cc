// Ranges of the JavaScript engine, which unmaps them without a word: kept until the
// kernel shows something else there.
#include <signal.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "check.h"
#include "core/extent/advice.h"
#include "core/guard/fault_fixup.h"
#include "core/mapping/address_range.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/stash.h"
#include "kernel.h"
#include "mappings.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::fix_up;
using memmap::core::Fixup;
using memmap::core::page_size;
using memmap::core::PageReplacementLock;
using memmap::test::Asked;
using memmap::test::Call;
using memmap::test::counts_at;
using memmap::test::free_addresses;
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

// Whether a touch of memory without access is fixed up.
bool stray(const char* address) {
  return fix_up({.address = number(address),
                 .signal = SIGSEGV,
                 .code = SEGV_ACCERR,
                 .lsb = 0,
                 .access = memmap::sys::Access::kRead,
                 .fetch = false}) == Fixup::kNow;
}

// What is at the address, of the extent there.
memmap::core::Standing standing_at(const char* address) {
  const Asked asked(address);
  return memmap::core::standing(*memmap::core::find_extent(number(address)), asked.vma);
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
    // As V8 does with what it reserves, and not with what we move there.
    CHECK(::madvise(around, 4 * page, MADV_DONTFORK) == 0);
    CHECK(::madvise(address, 2 * page, MADV_DOFORK) == 0);
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
    CHECK(stray(address) && counts->all == 1);
    CHECK(std::strcmp(vma_at(around).permissions, "---p") == 0);
    ::munmap(around, 4 * page);
  }
}

TEST("what the kernel joins of the runtime's ranges beside each other is theirs") {
  const size_t page = page_size();
  char* around = map_foreign(6, PROT_READ);
  char* address = around + page;
  CHECK(::mprotect(address, 4 * page, kReadWrite) == 0);
  auto one = note_runtime(address, 2, kReadWrite, kAnonymous);
  auto two = note_runtime(address + 2 * page, 2, kReadWrite, kAnonymous);
  for (const auto& range : {one, two}) {
    CHECK(!range->protect(0, 2 * page, PROT_NONE).failed());
  }
  CHECK(vma_at(address).end - vma_at(address).start >= 4 * page);
  one.reset();
  two.reset();
  AddressRange::sweep();
  CHECK(known(address) && known(address + 2 * page));
  CHECK(stray(address + 3 * page) && counts_at(address + 2 * page)->all == 1);
  CHECK(stray(address) && counts_at(address)->all == 1);
  ::munmap(around, 6 * page);
}

TEST("stashed pages beside a range of the runtime do not make it others'") {
  const size_t page = page_size();
  const PageReplacementLock lock;
  char* address = map_foreign(4);
  auto range = note_runtime(address + 2 * page, 2, kReadWrite, kAnonymous);
  CHECK(!range->protect(0, 2 * page, PROT_NONE).failed());
  // What other tests have left there.
  memmap::core::remove_extents(number(address), number(address) + 2 * page);
  // As the range's own pages are marked, and so its stashed ones.
  CHECK(::madvise(address, 2 * page, MADV_WIPEONFORK) == 0);
  memmap::core::Stash* list = nullptr;
  CHECK(::mprotect(address, 2 * page, PROT_NONE) == 0);
  CHECK(memmap::core::stash_pages(list, number(address), 2 * page));
  // Where the kernel might have put them.
  CHECK(::mremap(list->pages, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED,
                 address) == address);
  list->pages = address;
  CHECK(vma_at(address + 2 * page).start <= number(address));
  CHECK(standing_at(address + 3 * page) == memmap::core::Standing::kOriginal);
  memmap::core::drop_stash(list);
  ::munmap(address + 2 * page, 2 * page);
}

TEST("what the kernel joins of parts of one range is the range's") {
  const size_t page = page_size();
  char* address = map_foreign(4, PROT_READ);
  auto range = note_runtime(address, 4, PROT_READ, kAnonymous);
  // The half was writable for a while: another extent, but protected alike.
  for (int prot : {kReadWrite, PROT_READ}) {
    CHECK(!range->protect(2 * page, 2 * page, prot).failed());
  }
  *static_cast<volatile char*>(address) = 'w';
  *static_cast<volatile char*>(address + 3 * page) = 'w';
  CHECK(counts_at(address)->all == 2);
  ::munmap(address, 4 * page);
}

TEST("memory that moves onto the runtime's does not merge with the engine's around it") {
  const size_t page = page_size();
  char* around = map_foreign(4);
  // As V8 does with what it reserves.
  CHECK(::madvise(around, 4 * page, MADV_DONTFORK) == 0);
  auto mapping = memmap::core::Mapping::create(memmap::test::pages(2));
  CHECK(mapping && !mapping->overlay(around + page).failed());
  *mapping = memmap::core::Mapping();
  AddressRange::sweep();
  CHECK(known(around + page));
  ::munmap(around, 4 * page);
}

TEST("nor with memory around it that has no mark at all, however it is protected") {
  const size_t page = page_size();
  for (int prot : {PROT_READ, kReadWrite}) {
    char* around = map_foreign(4, prot);
    auto request = memmap::test::pages(2);
    request.prot = prot;
    auto mapping = memmap::core::Mapping::create(request);
    CHECK(mapping && !mapping->overlay(around + page).failed());
    const auto apart = [&] {
      const auto vma = vma_at(around + page);
      return vma.start == number(around + page) && vma.end == number(around + 3 * page);
    };
    CHECK(apart());
    CHECK(standing_at(around + page) == memmap::core::Standing::kOriginal);
    CHECK(!mapping->range()->protect(0, 2 * page, PROT_NONE).failed());
    CHECK(!mapping->range()->protect(0, 2 * page, prot).failed());
    CHECK(apart());
    *mapping = memmap::core::Mapping();
    ::munmap(around, 4 * page);
  }
}

TEST("zeros that the guard has put there stay apart, too") {
  const size_t page = page_size();
  // As the zeros are.
  auto* around = static_cast<char*>(
      ::mmap(nullptr, 4 * page, kReadWrite, kAnonymous | MAP_NORESERVE, -1, 0));
  auto mapping = memmap::core::Mapping::create(memmap::test::pages(2));
  CHECK(mapping && !mapping->overlay(around + page).failed());
  CHECK(!mapping->close().failed());
  CHECK(stray(around + page));
  const auto vma = vma_at(around + page);
  CHECK(vma.start == number(around + page) && vma.end == number(around + 3 * page));
  CHECK(memmap::core::advise(around + page, 2 * page, MADV_KEEPONFORK).value == ENOMEM);
  ::munmap(around, 4 * page);
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

}  // namespace
