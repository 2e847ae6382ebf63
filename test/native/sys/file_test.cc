#include "sys/file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "check.h"
#include "sys/abi.h"
#include "temporary.h"

namespace {

namespace sys = memmap::sys;
using memmap::test::open_descriptors;
using memmap::test::TemporaryFile;

TEST("open gives a descriptor that closes itself, or the errno") {
  TemporaryFile file(10, 'f');
  const int before = open_descriptors();
  {
    auto fd = sys::open(file.path(), O_RDONLY | O_CLOEXEC, 0);
    CHECK(fd && fd->valid() && open_descriptors() == before + 1);
  }
  CHECK(open_descriptors() == before);
  CHECK(sys::open("/tmp/memmap-no-such-file", O_RDONLY, 0).error().value == ENOENT);
}

TEST("a descriptor has one owner wherever it moves") {
  TemporaryFile file(1);
  const int before = open_descriptors();
  auto fd = sys::dup(file.fd());
  CHECK(fd && (::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
  sys::UniqueFd moved = std::move(*fd);
  CHECK(!fd->valid() && moved.valid());
  moved = sys::UniqueFd(moved.release());
  CHECK(moved.valid() && open_descriptors() == before + 1);
  moved = sys::UniqueFd();
  CHECK(!moved.valid() && open_descriptors() == before);
  CHECK(sys::dup(-1).error().value == EBADF);
}

TEST("fstat and fstatfs tell what the descriptor is") {
  TemporaryFile file(10, 'f');
  struct stat facts = {};
  CHECK(!sys::fstat(file.fd(), &facts).failed() && facts.st_size == 10);
  CHECK(sys::fstat(-1, &facts).value == EBADF);
  auto memory = sys::memfd_create("memmap", MFD_CLOEXEC);
  CHECK(memory);
  struct statfs system = {};
  CHECK(!sys::fstatfs(memory->get(), &system).failed() && system.f_type == TMPFS_MAGIC);
  CHECK(sys::fstatfs(-1, &system).value == EBADF);
}

TEST("ftruncate, fallocate and pwrite change the file") {
  TemporaryFile file;
  CHECK(!sys::ftruncate(file.fd(), 100).failed() && file.size() == 100);
  CHECK(!sys::fallocate(file.fd(), 0, 100, 100).failed() && file.size() == 200);
  auto written = sys::pwrite(file.fd(), "abc", 3, 199);
  CHECK(written && *written == 3 && file.size() == 202);
  CHECK(file.content().substr(199) == "abc");
  CHECK(sys::ftruncate(-1, 0).value == EBADF);
  CHECK(sys::fallocate(file.fd(), 0, 0, 0).value == EINVAL);
  CHECK(sys::pwrite(-1, "abc", 3, 0).error().value == EBADF);
}

TEST("posix_fadvise returns its errno, though it sets none") {
  TemporaryFile file(10, 'f');
  CHECK(!sys::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED).failed());
  errno = 0;
  CHECK(sys::posix_fadvise(-1, 0, 0, POSIX_FADV_DONTNEED).value == EBADF);
}

TEST("cachestat counts the pages of a file in the cache") {
  TemporaryFile file(100000, 'f');
  const sys::CachestatRange range = {0, 0};
  sys::Cachestat counts = {};
  const sys::Errno error = sys::cachestat(file.fd(), &range, &counts, 0);
  if (error.value == ENOSYS) SKIP("cachestat is Linux 6.5");
  CHECK(!error.failed());
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  CHECK(counts.cached == (100000 + page - 1) / page);
  CHECK(sys::cachestat(-1, &range, &counts, 0).value == EBADF);
}

}  // namespace
