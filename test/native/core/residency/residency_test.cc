#include "core/residency/residency.h"

#include <sys/mman.h>

#include <utility>
#include <vector>

#include "check.h"
#include "core/page.h"
#include "core/residency/page_cache.h"
#include "kernel.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "temporary.h"

namespace {

using memmap::core::FileBehind;
using memmap::core::page_size;
using memmap::core::PageRun;
using memmap::core::Residency;
using memmap::core::residency;
using memmap::sys::Result;
using memmap::test::Call;
using memmap::test::Claim;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;

using Parts = std::vector<std::pair<size_t, size_t>>;  // first page, pages

// The parts whose pages have all of `bits`.
Parts parts(const Residency& found, unsigned bits) {
  Parts result;
  size_t page = 0;
  for (const PageRun& run : found.runs) {
    const size_t pages = run.length / page_size();
    if ((run.state & bits) == bits) {
      if (!result.empty() && result.back().first + result.back().second == page) {
        result.back().second += pages;
      } else {
        result.emplace_back(page, pages);
      }
    }
    page += pages;
  }
  return result;
}

class Pages {
 public:
  explicit Pages(size_t count) : length_(count * page_size()) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* mapped = ::mmap(nullptr, length_, PROT_READ | PROT_WRITE, kFlags, -1, 0);
    begin_ = static_cast<char*>(mapped);
    ::madvise(begin_, length_, MADV_NOHUGEPAGE);  // a touch brings one page, not 512
  }
  // The first pages of a file.
  Pages(const TemporaryFile& file, size_t count, int flags)
      : length_(count * page_size()), file_{file.fd(), 0} {
    void* mapped = ::mmap(nullptr, length_, PROT_READ | PROT_WRITE, flags, file.fd(), 0);
    begin_ = static_cast<char*>(mapped);
  }
  ~Pages() { ::munmap(begin_, length_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  void touch(size_t page) { begin_[page * page_size()] = 1; }
  Result<Residency> look() { return residency(begin_, length_, file_, false); }
  Parts resident() {
    auto found = look();
    return found ? parts(*found, memmap::core::kResident) : Parts{{SIZE_MAX, 0}};
  }

 private:
  size_t length_;
  FileBehind file_ = {};
  char* begin_;
};

bool has_cachestat(const TemporaryFile& file) {
  auto found = Pages(file, 1, MAP_SHARED).look();
  return found && (found->known & memmap::core::kDirty) != 0;
}

// How many pages of a part are dirty, in the kernel's words.
size_t dirty_pages(const TemporaryFile& file, const Parts::value_type& part) {
  const memmap::sys::CachestatRange range = {part.first * page_size(),
                                             part.second * page_size()};
  memmap::sys::Cachestat counts = {};
  return memmap::sys::cachestat(file.fd(), &range, &counts, 0).failed() ? SIZE_MAX
                                                                        : counts.dirty;
}

TEST("pages that were touched are resident and mapped, as runs") {
  Pages pages(10);
  CHECK(pages.resident().empty());
  for (size_t page : {0U, 3U, 4U, 5U, 9U}) pages.touch(page);
  const Parts expected = {{0, 1}, {3, 3}, {9, 1}};
  CHECK(pages.resident() == expected);
  auto found = pages.look();
  CHECK(found && parts(*found, memmap::core::kMapped) == expected);
  CHECK(!found->faked);
}

TEST("a run across the slices of one look is one run") {
  constexpr size_t kSlice = size_t{1} << 14;
  Pages pages(2 * kSlice + 5);
  for (size_t page = kSlice - 2; page < kSlice + 3; page++) pages.touch(page);
  pages.touch(2 * kSlice + 4);
  auto found = pages.look();
  CHECK(found && found->runs.size() == 4);
  CHECK((pages.resident() == Parts{{kSlice - 2, 5}, {2 * kSlice + 4, 1}}));
}

TEST("no bytes have no runs, and addresses without pages are ENOMEM") {
  auto nothing = residency(nullptr, 0, {}, false);
  CHECK(nothing && nothing->runs.empty());
  void* gone =
      ::mmap(nullptr, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::munmap(gone, page_size());
  auto found = residency(static_cast<char*>(gone), page_size(), {}, false);
  CHECK(found.error().value == ENOMEM);
}

TEST("mincore is asked again while the kernel is short of memory") {
  Pages pages(2);
  pages.touch(1);
  Refuse busy(Call::kMincore, 0, EAGAIN, 0, 3);
  CHECK((pages.resident() == Parts{{1, 1}}));
  CHECK(busy.refused() == 3);
}

TEST("a kernel without PAGEMAP_SCAN tells the same, but of huge pages nothing") {
  Pages pages(1500);
  for (size_t page = 0; page < 1500; page += 7) pages.touch(page);
  auto found = pages.look();
  Refuse older(Call::kIoctl, memmap::sys::kPagemapScan & 0xffffffff, ENOTTY);
  auto from_entries = pages.look();
  CHECK(older.refused() == 1);
  CHECK(found && from_entries);
  const unsigned mapped = memmap::core::kMapped;
  CHECK(parts(*found, mapped) == parts(*from_entries, mapped));
  CHECK(parts(*from_entries, mapped).size() == 215);
  CHECK((from_entries->known & memmap::core::kHuge) == 0);
  CHECK((from_entries->known & memmap::core::kSwapped) != 0);
}

TEST("without /proc only residency is known") {
  Pages pages(4);
  pages.touch(2);
  Refuse none(Call::kOpen, 0, ENOENT);
  auto found = pages.look();
  CHECK(found && found->known == memmap::core::kResident);
  CHECK((parts(*found, memmap::core::kResident) == Parts{{2, 1}}));
}

TEST("what cachestat counts is found page by page") {
  const TemporaryFile file(64 * page_size(), 'f');
  if (!has_cachestat(file)) SKIP("this kernel has no cachestat(2)");
  ::fsync(file.fd());
  Pages pages(file, 64, MAP_SHARED);
  auto clean = pages.look();
  CHECK(clean && parts(*clean, memmap::core::kDirty).empty());
  Parts found;
  std::vector<size_t> counted;
  size_t before = 0;
  // Again if the kernel has written back on its own meanwhile.
  for (int round = 0; round < 100 && (before < 2 || dirty_pages(file, {0, 64}) != before);
       round++) {
    // Page by page written, each is dirty alone or with the folio it is in.
    const char byte = 1;
    for (size_t page : {3U, 40U}) {
      CHECK(::pwrite(file.fd(), &byte, 1, static_cast<off_t>(page * page_size())) == 1);
    }
    before = dirty_pages(file, {0, 64});
    auto look = pages.look();
    CHECK(look);
    found = parts(*look, memmap::core::kDirty);
    counted.clear();
    for (const auto& part : found) counted.push_back(dirty_pages(file, part));
  }
  size_t dirty = 0;
  for (size_t i = 0; i < found.size(); i++) {
    CHECK(counted[i] == found[i].second);
    dirty += found[i].second;
  }
  CHECK(dirty >= 2);
}

TEST("the page cache says nothing of a copy that the mapping has of its own") {
  const TemporaryFile file(8 * page_size(), 'f');
  if (!has_cachestat(file)) SKIP("this kernel has no cachestat(2)");
  Pages pages(file, 8, MAP_PRIVATE);
  pages.touch(3);
  auto found = pages.look();
  CHECK(found);
  for (const auto& [first, count] : parts(*found, memmap::core::kDirty)) {
    CHECK(first > 3 || first + count <= 3);
  }
}

TEST("an older kernel without cachestat knows nothing of dirty pages") {
  const TemporaryFile file(4 * page_size(), 'f');
  Pages pages(file, 4, MAP_SHARED);
  Refuse older(Call::kCachestat, 0, ENOSYS);
  auto found = pages.look();
  CHECK(older.refused() == 1);
  CHECK(found && (found->known & memmap::core::kDirty) == 0);
  CHECK((parts(*found, memmap::core::kResident) == Parts{{0, 4}}));
}

TEST("a page past the end of a file gives a claim away") {
  for (const size_t length : {size_t{0}, size_t{1}, page_size(), 3 * page_size() + 7}) {
    const TemporaryFile file(length, 'f');
    CHECK(!memmap::core::fakes_residency(file.fd()));
    const Claim all;
    CHECK(memmap::core::fakes_residency(file.fd()));
  }
  CHECK(memmap::core::fakes_residency(-1));
}

TEST("pages that are only claimed to be resident are marked, or found by cachestat") {
  const TemporaryFile file(8 * page_size(), 'f');
  const bool told = has_cachestat(file);
  ::fsync(file.fd());
  Pages pages(file, 8, MAP_SHARED);
  ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  const Parts truth = pages.resident();
  const Claim all;
  if (told) {
    auto found = pages.look();
    CHECK(found && !found->faked);
    CHECK(parts(*found, memmap::core::kResident) == truth);
  }
  Refuse forbidden(Call::kCachestat, 0, EPERM);
  auto found = pages.look();
  CHECK(found && found->faked);
  CHECK((parts(*found, memmap::core::kResident) == Parts{{0, 8}}));
}

}  // namespace
