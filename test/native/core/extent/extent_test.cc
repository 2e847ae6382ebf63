#include "core/extent/extent.h"

#include <sys/mman.h>

#include <cstring>

#include "check.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "kernel.h"
#include "mappings.h"
#include "witness.h"

namespace {

using memmap::core::add_extent;
using memmap::core::all_blocks;
using memmap::core::count_block;
using memmap::core::cut_extents;
using memmap::core::each_extent;
using memmap::core::Extent;
using memmap::core::find_extent;
using memmap::core::first_extent;
using memmap::core::forget_blocks;
using memmap::core::join_extents;
using memmap::core::next_extent;
using memmap::core::PageReplacementLock;
using memmap::core::remove_extents;
using memmap::core::undo_strays;
using memmap::sys::Errno;
using memmap::test::Call;
using memmap::test::extent_of;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::map_foreign;
using memmap::test::number;
using memmap::test::Refuse;
using memmap::test::vma_at;

// Addresses that no program has: nothing is mapped for an extent.
constexpr uintptr_t kBase = uintptr_t{1} << 60;
constexpr size_t kPage = 4096;
constexpr size_t kAll = 1024 * kPage;

// The table while a test runs, without the extents of the test in the end.
class Table {
 public:
  ~Table() { remove_extents(kBase, kBase + kAll); }
  Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Pages [first, first + count) of kBase.
  static Extent pages(size_t first, size_t count) {
    Extent extent = extent_of(kReadWrite, kAnonymous);
    extent.start = extent.origin = kBase + first * kPage;
    extent.end = extent.start + count * kPage;
    return extent;
  }
  static Extent* add(size_t first, size_t count) {
    add_extent(pages(first, count));
    return at(first);
  }
  static Extent* at(size_t page) { return find_extent(kBase + page * kPage); }
  // Whether an extent of exactly these pages is there.
  static bool has(size_t first, size_t count) {
    const Extent* extent = at(first);
    return extent != nullptr && extent->start == kBase + first * kPage &&
           extent->length() == count * kPage;
  }
  static size_t extents() {
    size_t count = 0;
    static_cast<void>(each_extent(kBase, kBase + kAll, [&](const Extent&) {
      count += 1;
      return Errno{};
    }));
    return count;
  }

 private:
  const PageReplacementLock lock_;
};

TEST("an extent is found from its first byte to its last") {
  Table table;
  Extent* one = table.add(1, 2);
  Extent* two = table.add(5, 1);
  CHECK(one != nullptr && two != nullptr);
  CHECK(find_extent(kBase + kPage - 1) == nullptr);
  CHECK(find_extent(kBase + kPage) == one);
  CHECK(find_extent(kBase + 3 * kPage - 1) == one);
  CHECK(find_extent(kBase + 3 * kPage) == nullptr);
  CHECK(first_extent(kBase) == one && first_extent(kBase + 2 * kPage) == one);
  CHECK(first_extent(kBase + 3 * kPage) == two && next_extent(*one) == two);
  CHECK(first_extent(kBase + 6 * kPage) == nullptr && next_extent(*two) == nullptr);
}

TEST("an extent takes the place of what was noted there, and of nothing beside it") {
  Table table;
  const auto before = table.add(0, 8)->counts;
  const auto inner = table.add(2, 3)->counts;
  CHECK(table.has(0, 2) && table.has(2, 3) && table.has(5, 3));
  CHECK(table.at(0)->counts == before && table.at(7)->counts == before);
  CHECK(table.at(2)->counts == inner);
  // Offsets of what is left still count from where its mapping begins.
  CHECK(table.at(5)->origin == kBase);
  table.add(1, 5);
  CHECK(table.has(0, 1) && table.has(1, 5) && table.has(6, 2) && table.extents() == 3);
}

TEST("removed extents are forgotten to the page, those of another range are not") {
  Table table;
  // Ranges are only compared.
  const auto* mine = reinterpret_cast<const memmap::core::AddressRange*>(kBase);
  table.add(0, 4)->range = mine;
  table.add(4, 4);
  remove_extents(kBase + 2 * kPage, kBase + 6 * kPage, mine);
  CHECK(table.has(0, 2) && table.at(2) == nullptr && table.at(3) == nullptr);
  CHECK(table.has(4, 2) && table.has(6, 2));
  remove_extents(kBase + kPage, kBase + 5 * kPage);
  CHECK(table.has(0, 1) && table.has(5, 1) && table.has(6, 2));
  CHECK(table.at(1) == nullptr && table.at(4) == nullptr);
}

TEST("extents are cut where they are asked to, and joined where they are alike") {
  Table table;
  const auto counts = table.add(0, 6)->counts;
  CHECK(!cut_extents(kBase + 2 * kPage, kBase + 4 * kPage).failed());
  CHECK(table.has(0, 2) && table.has(2, 2) && table.has(4, 2));
  for (size_t page : {0U, 2U, 4U}) CHECK(table.at(page)->counts == counts);
  // Nothing there to cut, or nothing to change.
  CHECK(!cut_extents(kBase + 4 * kPage, kBase + 8 * kPage).failed());
  CHECK(table.extents() == 3);
  table.at(2)->prot = PROT_READ;
  join_extents(kBase, kBase + 6 * kPage);
  CHECK(table.extents() == 3);
  table.at(2)->prot = kReadWrite;
  join_extents(kBase + 2 * kPage, kBase + 4 * kPage);
  CHECK(table.has(0, 6) && table.extents() == 1);
}

TEST("extents that differ in what the guard must know are never joined") {
  using Change = void (*)(Extent&);
  const Change changes[] = {
      [](Extent& extent) { extent.prot = PROT_NONE; },
      [](Extent& extent) { extent.pristine = true; },
      [](Extent& extent) { extent.closed = true; },
      [](Extent& extent) { extent.fixed_up = true; },
      [](Extent& extent) { extent.backing.unit *= 2; },
      [](Extent& extent) { extent.origin += kPage; },
      [](Extent& extent) { extent.counts = nullptr; },
  };
  for (Change change : changes) {
    for (size_t changed : {0U, 2U}) {
      Table table;
      table.add(0, 4);
      CHECK(!cut_extents(kBase + 2 * kPage, kBase + 4 * kPage).failed());
      change(*table.at(changed));
      join_extents(kBase, kBase + 4 * kPage);
      CHECK(table.extents() == 2);
    }
  }
}

TEST("each part of a cut extent keeps what is lost of it") {
  Table table;
  table.add(0, 8)->lost_from = kBase + 4 * kPage;
  CHECK(!cut_extents(kBase + 2 * kPage, kBase + 6 * kPage).failed());
  CHECK(table.at(0)->lost_from == 0);
  CHECK(table.at(2)->lost_from == kBase + 4 * kPage);
  CHECK(table.at(6)->lost_from == kBase + 6 * kPage);
}

TEST("blocks are counted for all extents, and given back with theirs") {
  Table table;
  const uint32_t before = all_blocks();
  Extent* one = table.add(0, 2);
  Extent* two = table.add(2, 2);
  count_block(*one);
  count_block(*two);
  count_block(*two);
  CHECK(all_blocks() == before + 3);
  forget_blocks(*two);
  CHECK(two->blocks == 0 && all_blocks() == before + 1);
  // Cut, they are counted once.
  CHECK(!cut_extents(kBase + kPage, kBase + 2 * kPage).failed());
  CHECK(all_blocks() == before + 1);
  remove_extents(kBase, kBase + 4 * kPage);
  CHECK(all_blocks() == before);
}

TEST("what was stashed of an extent is put back before it is cut, and freed with it") {
  const PageReplacementLock lock;
  const size_t page = memmap::core::page_size();
  char* address = map_foreign(3);
  std::memset(address, 'a', 3 * page);
  Extent extent = extent_of(kReadWrite, kAnonymous);
  extent.start = extent.origin = number(address);
  extent.end = extent.start + 3 * page;
  for (const bool cut : {true, false}) {
    add_extent(extent);
    Extent* added = find_extent(extent.start);
    CHECK(memmap::core::stash_pages(added->stash, added->start, added->length()));
    const char* stashed = added->stash->pages;
    CHECK(address[page] == 0);
    if (cut) {
      {
        // One that cannot be put back is not cut.
        Refuse full(Call::kMremap, MREMAP_FIXED, ENOMEM);
        CHECK(cut_extents(number(address) + page, extent.end).value == ENOMEM);
      }
      CHECK(added->end == extent.end && added->stash != nullptr);
      CHECK(!cut_extents(number(address) + page, extent.end).failed());
      CHECK(added->end == number(address) + page);
      CHECK(address[0] == 'a' && address[2 * page] == 'a');
    }
    remove_extents(extent.start, extent.end);
    CHECK(!vma_at(stashed).mapped() && find_extent(extent.start) == nullptr);
  }
  CHECK(address[page] == 0);
  ::munmap(address, 3 * page);
}

TEST("an extent that was opened is dropped and protected again, locked or not") {
  const PageReplacementLock lock;
  const size_t page = memmap::core::page_size();
  for (const bool locked : {false, true}) {
    char* address = map_foreign(2);
    if (locked) CHECK(::mlock(address, 2 * page) == 0);
    Extent extent = extent_of(PROT_READ, kAnonymous);
    extent.start = extent.origin = number(address);
    extent.end = extent.start + 2 * page;
    extent.pristine = extent.opened = extent.fixed_up = true;
    address[0] = 'w';
    {
      Refuse full(Call::kMprotect, 0, EACCES);
      CHECK(undo_strays(extent).value == EACCES && extent.opened && extent.fixed_up);
    }
    CHECK(!undo_strays(extent).failed());
    CHECK(!extent.opened && !extent.fixed_up);
    CHECK(address[0] == 0);
    CHECK(std::strcmp(vma_at(address).permissions, "r--p") == 0);
    ::munmap(address, 2 * page);
  }
}

}  // namespace
