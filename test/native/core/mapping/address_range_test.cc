#include "core/mapping/address_range.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "check.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "mappings.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::page_size;
using memmap::test::all_bytes;
using memmap::test::closed_at;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::map_foreign;
using memmap::test::mapped;
using memmap::test::note;
using memmap::test::number;
using memmap::test::Owner;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

TEST("the last holder of a range unmaps it, no one before") {
  const size_t length = 3 * page_size();
  char* address = map_foreign(3);
  auto range = AddressRange::take(address, length, Owner::kMemmap);
  std::shared_ptr<AddressRange> holder = range;
  range.reset();
  CHECK(mapped(address, length));
  holder.reset();
  CHECK(!mapped(address, length));
}

TEST("addresses of a range that a holder keeps are never given out again") {
  const size_t length = page_size();
  char* address = map_foreign(1);
  auto range = AddressRange::take(address, length, Owner::kMemmap);
  CHECK(!range->vacate(0, length).failed());
  range->retire();
  std::vector<char*> others;
  others.reserve(200);
  for (int i = 0; i < 200; i++) others.push_back(map_foreign(1));
  bool reused = false;
  for (char* other : others) {
    if (other == address) reused = true;
    ::munmap(other, length);
  }
  CHECK(!reused);
  void* hint =
      ::mmap(address, length, PROT_READ, kAnonymous | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(hint == MAP_FAILED && errno == EEXIST);
}

TEST("a range of the runtime is not unmapped by its last holder") {
  char* address = map_foreign(1);
  AddressRange::take(address, page_size(), Owner::kRuntime).reset();
  CHECK(mapped(address, page_size()));
  ::munmap(address, page_size());
}

TEST("a disowned range is not unmapped by its last holder") {
  char* address = map_foreign(1);
  auto range = AddressRange::take(address, page_size(), Owner::kMemmap);
  range->disown();
  range.reset();
  CHECK(mapped(address, page_size()));
  ::munmap(address, page_size());
}

TEST("find gives the range around a part of it, and nothing that reaches outside") {
  const size_t page = page_size();
  char* address = map_foreign(4);
  auto range = AddressRange::take(address + page, 2 * page, Owner::kMemmap);
  const uintptr_t begin = number(address) + page;
  CHECK(AddressRange::find(begin, 2 * page, false) == range);
  CHECK(AddressRange::find(begin + page, page, false) == range);
  CHECK(AddressRange::find(begin + 2 * page - 1, 1, false) == range);
  CHECK(AddressRange::find(begin, 2 * page + 1, false) == nullptr);
  CHECK(AddressRange::find(begin - 1, 2, false) == nullptr);
  CHECK(AddressRange::find(begin + page, page + 1, false) == nullptr);
  CHECK(AddressRange::find(begin + 2 * page, 1, false) == nullptr);
  range.reset();
  CHECK(AddressRange::find(begin, page, false) == nullptr);
  ::munmap(address, 4 * page);
}

TEST("find is not fooled by a length that wraps around") {
  char* address = map_foreign(2);
  auto range = AddressRange::take(address, 2 * page_size(), Owner::kMemmap);
  CHECK(AddressRange::find(number(address), SIZE_MAX, false) == nullptr);
  CHECK(AddressRange::find(number(address) + page_size(), SIZE_MAX - 1, false) ==
        nullptr);
  CHECK(AddressRange::find(number(address) + 1, SIZE_MAX - number(address), false) ==
        nullptr);
  CHECK(AddressRange::find(SIZE_MAX, 2, false) == nullptr);
  CHECK(AddressRange::find(0, SIZE_MAX, false) == nullptr);
}

TEST("a range of the runtime is found only by who holds a buffer over it") {
  char* address = map_foreign(1);
  auto range = AddressRange::take(address, page_size(), Owner::kRuntime);
  CHECK(AddressRange::find(number(address), 1, false) == nullptr);
  CHECK(AddressRange::find(number(address), 1, true) == range);
  ::munmap(address, page_size());
}

TEST("a newer range at the same address takes the place of a stale one") {
  char* address = map_foreign(1);
  auto stale = AddressRange::take(address, page_size(), Owner::kRuntime);
  auto range = AddressRange::take(address, page_size(), Owner::kMemmap);
  CHECK(AddressRange::find(number(address), 1, false) == range);
  stale.reset();
  CHECK(AddressRange::find(number(address), 1, false) == range);
}

TEST("vacated pages read zeros, take writes, and no longer belong to the file") {
  const size_t page = page_size();
  TemporaryFile file(3 * page, 'x');
  void* pages = ::mmap(nullptr, 3 * page, PROT_READ, MAP_SHARED, file.fd(), 0);
  auto range = note(pages, 3, PROT_READ, MAP_SHARED, file.fd());
  char* address = range->begin();
  CHECK(vma_at(address).inode == file.inode());
  CHECK(!range->vacate(page, page).failed());
  CHECK(vma_at(address).inode == file.inode());
  CHECK(closed_at(address + page));
  CHECK(vma_at(address + 2 * page).inode == file.inode());
  CHECK(all_bytes(address, page, 'x'));
  CHECK(all_bytes(address + page, page, 0));
  address[page] = 'y';
  CHECK(file.all('x'));
  CHECK(!range->vacate(0, 3 * page).failed());
  CHECK(closed_at(address) && closed_at(address + 2 * page));
  CHECK(all_bytes(address, 3 * page, 0));
}

TEST("vacate refuses what leaves the range, and changes nothing") {
  const size_t page = page_size();
  char* address = map_foreign(2);
  auto range = AddressRange::take(address, page, Owner::kMemmap);
  address[0] = 1;
  address[page] = 2;
  CHECK(range->vacate(0, 2 * page).value == EINVAL);
  CHECK(range->vacate(page, page).value == EINVAL);
  CHECK(range->vacate(page, SIZE_MAX - page + 1).value == EINVAL);
  CHECK(range->vacate(SIZE_MAX, 2).value == EINVAL);
  CHECK(!range->vacate(page, 0).failed());
  CHECK(address[0] == 1 && address[page] == 2);
  ::munmap(address + page, page);
}

TEST("the census counts live ranges, and retired ones once") {
  const AddressRange::Census before = AddressRange::census();
  auto one = AddressRange::take(map_foreign(1), page_size(), Owner::kMemmap);
  auto two = AddressRange::take(map_foreign(2), 2 * page_size(), Owner::kMemmap);
  two->retire();
  two->retire();
  AddressRange::Census now = AddressRange::census();
  CHECK(now.live == before.live + 2);
  CHECK(now.retired == before.retired + 1);
  CHECK(now.retired_bytes == before.retired_bytes + 2 * page_size());
  one.reset();
  two.reset();
  now = AddressRange::census();
  CHECK(now.live == before.live && now.retired == before.retired);
  CHECK(now.retired_bytes == before.retired_bytes);
}

TEST("an extended range is found, counted and unmapped whole") {
  const size_t page = page_size();
  char* address = map_foreign(2);
  auto range = AddressRange::take(address, page, Owner::kMemmap);
  range->retire();
  const size_t bytes = AddressRange::census().retired_bytes;
  range->extend(page);
  CHECK(range->length() == 2 * page);
  CHECK(AddressRange::census().retired_bytes == bytes + page);
  CHECK(AddressRange::find(number(address) + page, page, false) == range);
  range.reset();
  CHECK(!mapped(address, 2 * page));
}

TEST("of closed pages nothing is known that was done before") {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  auto mapping = memmap::core::Mapping::create(memmap::test::pages_of(file));
  CHECK(bool{mapping});
  mapping->keep(memmap::sys::UniqueFd(::dup(file.fd())));
  CHECK(::ftruncate(file.fd(), static_cast<off_t>(page)) == 0);
  CHECK(mapping->address()[3 * page] == 0);
  size_t lost_from = 0;
  CHECK(mapping->fixed_up(lost_from) && lost_from == page);
  CHECK(!mapping->range()->vacate(0, 4 * page).failed());
  CHECK(!mapping->fixed_up(lost_from) && lost_from == SIZE_MAX);
  CHECK(memmap::test::fd_at(mapping->address()) == -1);
}

TEST("what the kernel adds below a range goes with it, closed or not") {
  const size_t page = page_size();
  for (const bool closed : {false, true}) {
    constexpr int kFlags = kAnonymous | MAP_GROWSDOWN | MAP_NORESERVE;
    // The kernel leaves a gap of 256 pages to what lies below.
    char* space = map_foreign(2048);
    char* address = space + 2000 * page;
    ::munmap(space, 2048 * page);
    CHECK(::mmap(address, page, kReadWrite, kFlags | MAP_FIXED, -1, 0) == address);
    auto range = AddressRange::take(address, page, Owner::kMemmap, true);
    range->fill(address, page, memmap::test::extent_of(kReadWrite, kFlags));
    static_cast<volatile char*>(address)[-1] = 'w';
    CHECK(vma_at(address - 1).mapped());
    if (closed) {
      CHECK(!range->vacate(0, page).failed());
      CHECK(!vma_at(address - 1).mapped() && closed_at(address));
    }
    range.reset();
    CHECK(!vma_at(address - 1).mapped() && !vma_at(address).mapped());
  }
}

TEST("memory of the runtime is never sealed, ours where the kernel can") {
  const size_t page = page_size();
  char* address = map_foreign(1);
  auto range = AddressRange::take(address, page, Owner::kRuntime);
  CHECK(range->seal(0, page, 0).value == ENOTSUP);
  CHECK(range->seal(0, 2 * page, 0).value == EINVAL);
  CHECK(::munmap(address, page) == 0);
}

TEST("threads take, find and drop ranges at the same time") {
  AddressRange::sweep();  // what other tests have left would go meanwhile
  const AddressRange::Census before = AddressRange::census();
  std::atomic<int> wrong = 0;
  // What the other threads look for: a range of another thread, or a range that has gone.
  std::atomic<uintptr_t> published = 0;
  auto work = [&] {
    const size_t page = page_size();
    for (int i = 0; i < 2000; i++) {
      auto range = AddressRange::take(map_foreign(2), 2 * page, Owner::kMemmap);
      const uintptr_t mine = number(range->begin());
      if (AddressRange::find(mine + page, page, false) != range) wrong++;
      const uintptr_t other = published.exchange(mine);
      auto found = AddressRange::find(other, page, false);
      // Held by us now, whatever its thread does: the byte can be read.
      if (found != nullptr && *static_cast<volatile char*>(found->begin()) != 0) wrong++;
      if (range->vacate(page, page).failed()) wrong++;
      range->retire();
      static_cast<void>(AddressRange::census());
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; i++) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  const AddressRange::Census after = AddressRange::census();
  CHECK(after.live == before.live);
  CHECK(after.retired == before.retired && after.retired_bytes == before.retired_bytes);
}

TEST("threads that share a range keep it until the last of them lets go") {
  const size_t page = page_size();
  for (int round = 0; round < 50; round++) {
    auto range = AddressRange::take(map_foreign(1), page, Owner::kMemmap);
    char* address = range->begin();
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; i++) {
      threads.emplace_back([holder = range, address, i]() mutable {
        address[i] = 1;
        holder.reset();
      });
    }
    range.reset();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    CHECK(!mapped(address, page));
  }
}

}  // namespace
