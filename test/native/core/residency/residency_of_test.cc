#include "core/residency/residency_of.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <string>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "temporary.h"

namespace {

using memmap::core::FileQuestion;
using memmap::core::kMapped;
using memmap::core::kResident;
using memmap::core::page_size;
using memmap::core::PageRun;
using memmap::core::Residency;
using memmap::core::residency_of;
using memmap::sys::Result;
using memmap::test::Call;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;

size_t resident_pages(const Residency& found) {
  size_t bytes = 0;
  for (const PageRun& run : found.runs) {
    if ((run.state & kResident) != 0) bytes += run.length;
  }
  return bytes / page_size();
}

size_t all_pages(const Residency& found) {
  size_t bytes = 0;
  for (const PageRun& run : found.runs) bytes += run.length;
  return bytes / page_size();
}

int refusal(const char* path) {
  FileQuestion question{.path = path};
  return residency_of(question).error().value;
}

TEST("a file is looked at by path and by descriptor, from any byte to any") {
  const TemporaryFile file(10 * page_size() - 5, 'f');
  for (const bool by_path : {true, false}) {
    FileQuestion whole{.path = by_path ? file.path() : nullptr, .fd = file.fd()};
    auto found = residency_of(whole);
    CHECK(found && all_pages(*found) == 10 && resident_pages(*found) == 10);
    CHECK(whole.length == static_cast<int64_t>(file.size()));
    CHECK((found->known & kMapped) != 0);
    const auto page = static_cast<int64_t>(page_size());
    FileQuestion part{
        .path = whole.path, .fd = whole.fd, .offset = 2 * page - 1, .length = 2};
    found = residency_of(part);
    CHECK(found && all_pages(*found) == 2);
  }
}

TEST("what is no ordinary file, or has nothing there, is for a mapping to tell of") {
  const std::string fifo = std::string(TemporaryFile().path()) + "-fifo";
  CHECK(::mkfifo(fifo.c_str(), 0600) == 0);
  {
    const Refuse opening(Call::kOpen, 0, EIO);
    CHECK(refusal(fifo.c_str()) == EINVAL);
  }
  ::unlink(fifo.c_str());
  CHECK(refusal("/tmp") == EINVAL);
  CHECK(refusal("/dev/zero") == EINVAL);
  CHECK(refusal("/proc/self/maps") == EINVAL);
  CHECK(refusal("/sys/kernel/mm/transparent_hugepage/enabled") != 0);
  CHECK(refusal("/nowhere") == ENOENT);
  const TemporaryFile empty;
  CHECK(refusal(empty.path()) == EINVAL);
  const TemporaryFile file(7, 'f');
  FileQuestion past_end{.fd = file.fd(), .offset = 3, .length = 5};
  CHECK(residency_of(past_end).error().value == EINVAL);
  for (const int64_t offset : {7, 8}) {
    FileQuestion behind{.fd = file.fd(), .offset = offset};
    CHECK(residency_of(behind).error().value == EINVAL);
  }
  FileQuestion nothing{.fd = file.fd(), .offset = 3, .length = 0};
  CHECK(residency_of(nothing).error().value == EINVAL);
}

TEST("a file that cannot be mapped is for a mapping to tell of") {
  const TemporaryFile file(page_size(), 'f');
  const Refuse no(Call::kMmap, MAP_PRIVATE, ENODEV);
  CHECK(refusal(file.path()) == ENODEV);
}

TEST("looking reads nothing in, even where all that is mapped is locked") {
  const TemporaryFile file(8 * page_size(), 'f');
  ::fsync(file.fd());
  ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  FileQuestion question{.path = file.path()};
  auto before = residency_of(question);
  CHECK(before);
  if (resident_pages(*before) != 0) SKIP("the file is always in memory here");
  if (::mlockall(MCL_FUTURE) != 0) SKIP("this process may lock nothing");
  auto locked = residency_of(question);
  ::munlockall();
  CHECK(locked && resident_pages(*locked) == 0);
  auto after = residency_of(question);
  CHECK(after && resident_pages(*after) == 0);
}

TEST(
    "it takes no look at the page tables, and none past the end where both sources "
    "agree") {
  const TemporaryFile file(8 * page_size(), 'f');
  FileQuestion question{.path = file.path()};
  auto whole = residency_of(question);
  CHECK(whole);
  if ((whole->known & memmap::core::kDirty) == 0) SKIP("this kernel has no cachestat(2)");
  {
    const Refuse tables(Call::kIoctl, 0, ENOTTY);
    auto found = residency_of(question);
    CHECK(found && resident_pages(*found) == 8);
    CHECK(tables.refused() == 0);
  }
  const Refuse past_end(Call::kMmap, MAP_SHARED, ENOMEM);
  auto found = residency_of(question);
  CHECK(found && resident_pages(*found) == 8 && !found->faked);
  CHECK(past_end.refused() == 0);
}

}  // namespace
