#include "core/residency.h"

#include <sys/mman.h>

#include <vector>

#include "check.h"
#include "core/page.h"
#include "kernel.h"

namespace {

using memmap::core::page_size;
using memmap::core::resident_runs;
using memmap::core::Run;
using memmap::sys::Result;
using memmap::test::Call;
using memmap::test::Refuse;

class Pages {
 public:
  explicit Pages(size_t count) : length_(count * page_size()) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* mapped = ::mmap(nullptr, length_, PROT_READ | PROT_WRITE, kFlags, -1, 0);
    begin_ = static_cast<char*>(mapped);
    ::madvise(begin_, length_, MADV_NOHUGEPAGE);  // a touch brings one page, not 512
  }
  ~Pages() { ::munmap(begin_, length_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  void touch(size_t page) { begin_[page * page_size()] = 1; }
  Result<std::vector<Run>> runs() { return resident_runs(begin_, length_); }

 private:
  size_t length_;
  char* begin_;
};

bool is(const Run& run, size_t first_page, size_t pages) {
  return run.offset == first_page * page_size() && run.length == pages * page_size();
}

TEST("pages that were touched are resident, as runs") {
  Pages pages(10);
  auto runs = pages.runs();
  CHECK(runs && runs->empty());
  for (size_t page : {0U, 3U, 4U, 5U, 9U}) pages.touch(page);
  runs = pages.runs();
  CHECK(runs && runs->size() == 3);
  CHECK(is((*runs)[0], 0, 1) && is((*runs)[1], 3, 3) && is((*runs)[2], 9, 1));
}

TEST("a run across the slices of mincore is one run") {
  constexpr size_t kSlice = size_t{1} << 14;
  Pages pages(2 * kSlice + 5);
  for (size_t page = kSlice - 2; page < kSlice + 3; page++) pages.touch(page);
  pages.touch(2 * kSlice + 4);
  auto runs = pages.runs();
  CHECK(runs && runs->size() == 2);
  CHECK(is((*runs)[0], kSlice - 2, 5) && is((*runs)[1], 2 * kSlice + 4, 1));
}

TEST("no bytes have no runs, and addresses without pages are ENOMEM") {
  auto runs = resident_runs(nullptr, 0);
  CHECK(runs && runs->empty());
  void* gone =
      ::mmap(nullptr, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::munmap(gone, page_size());
  CHECK(resident_runs(static_cast<char*>(gone), page_size()).error().value == ENOMEM);
}

TEST("mincore is asked again while the kernel is short of memory") {
  Pages pages(2);
  pages.touch(1);
  Refuse busy(Call::kMincore, 0, EAGAIN, 0, 3);
  auto runs = pages.runs();
  CHECK(busy.refused() == 3);
  CHECK(runs && runs->size() == 1 && is((*runs)[0], 1, 1));
}

}  // namespace
