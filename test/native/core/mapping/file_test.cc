#include "core/mapping/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <memory>
#include <string>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::FileFacts;
using memmap::core::FileRequest;
using memmap::core::grow_file;
using memmap::core::map_file;
using memmap::core::map_memfd;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::sys::Result;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::open_descriptors;
using memmap::test::Refuse;
using memmap::test::SmallDisk;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;
using Step = FileFacts::Step;

FileRequest request(const char* path, int open_flags = O_RDONLY) {
  FileRequest result;
  result.path = path;
  result.open_flags = open_flags;
  result.prot = open_flags == O_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
  result.flags = MAP_SHARED;
  return result;
}

// Whether mapping fails so, with nothing left open, mapped or registered.
bool fails(const FileRequest& wanted, Step step, int error) {
  const int descriptors = open_descriptors();
  const size_t live = AddressRange::census().live;
  FileFacts facts;
  Result<Mapping> mapping = map_file(wanted, facts);
  if (mapping) return false;
  if (facts.step != step || mapping.error().value != error) {
    std::printf("step %d, errno %d\n", static_cast<int>(facts.step),
                mapping.error().value);
    return false;
  }
  return open_descriptors() == descriptors && AddressRange::census().live == live;
}

TEST("map_file maps the whole file, says what it found, and leaves nothing open") {
  const size_t page = page_size();
  TemporaryFile file(2 * page + 5, 'f');
  const int descriptors = open_descriptors();
  FileFacts facts;
  Result<Mapping> mapping = map_file(request(file.path()), facts);
  CHECK(mapping && open_descriptors() == descriptors);
  CHECK(facts.step == Step::kMap);
  CHECK(facts.size == static_cast<int64_t>(2 * page + 5) && facts.length == facts.size);
  CHECK(S_ISREG(facts.mode) && facts.inode == file.inode() && facts.device != 0);
  CHECK(facts.filesystem != 0);
  CHECK(mapping->length() == 3 * page && mapping->fd() == -1);
  CHECK(all_bytes(mapping->address(), 2 * page + 5, 'f'));
  CHECK(all_bytes(mapping->address() + 2 * page + 5, page - 5, 0));
  CHECK(vma_at(mapping->address()).path.find(file.path()) != std::string::npos);
}

TEST("an offset inside a page maps from the page that holds it") {
  const size_t page = page_size();
  TemporaryFile file(3 * page, 'f');
  FileRequest wanted = request(file.path());
  wanted.offset = static_cast<int64_t>(page + 7);
  wanted.length = 10;
  FileFacts facts;
  Result<Mapping> mapping = map_file(wanted, facts);
  CHECK(mapping && mapping->length() == page && facts.length == 10);
  wanted.offset = static_cast<int64_t>(2 * page - 5);
  mapping = map_file(wanted, facts);
  CHECK(mapping && mapping->length() == 2 * page);
}

TEST("a descriptor of the caller's is used and left open") {
  TemporaryFile file(10, 'f');
  FileRequest wanted = request(nullptr);
  wanted.fd = file.fd();
  const int descriptors = open_descriptors();
  FileFacts facts;
  Result<Mapping> mapping = map_file(wanted, facts);
  CHECK(mapping && open_descriptors() == descriptors);
  CHECK(::fcntl(file.fd(), F_GETFD) != -1);
  mapping = Mapping();
  CHECK(::fcntl(file.fd(), F_GETFD) != -1);
}

TEST("each failure names its step and leaves nothing behind") {
  TemporaryFile file(10, 'f');
  CHECK(fails(request("/tmp/memmap-no-such-file"), Step::kOpen, ENOENT));
  CHECK(fails(request("/tmp"), Step::kStat, EISDIR));
  CHECK(fails(request("/proc/self/status"), Step::kStat, ENODEV));
  FileRequest closed = request(nullptr);
  closed.fd = 1 << 20;
  CHECK(fails(closed, Step::kStat, EBADF));
  FileRequest far = request(file.path());
  far.offset = 11;
  CHECK(fails(far, Step::kRange, ERANGE));
  FileRequest longer = request(file.path());
  longer.length = 11;
  CHECK(fails(longer, Step::kRange, ERANGE));
  longer.offset = 1;
  longer.length = INT64_MAX;
  CHECK(fails(longer, Step::kRange, ERANGE));
  CHECK(fails(request("/dev/zero"), Step::kRange, ERANGE));
  FileRequest unwritable = request(file.path());
  unwritable.prot = PROT_READ | PROT_WRITE;
  CHECK(fails(unwritable, Step::kMap, EACCES));
  FileRequest read_only = request(file.path());
  read_only.grow_to = 100;
  CHECK(fails(read_only, Step::kGrow, EBADF));
  CHECK(file.size() == 10);
}

TEST("a FIFO without a peer and a socket are ENODEV, and nothing waits") {
  TemporaryFile place;
  const std::string path = std::string(place.path()) + "-fifo";
  CHECK(::mkfifo(path.c_str(), 0600) == 0);
  const bool refused = fails(request(path.c_str()), Step::kStat, ENODEV);
  ::unlink(path.c_str());
  CHECK(refused);
}

TEST("an empty file, and no bytes of a file, are ENODATA at the last step") {
  TemporaryFile empty;
  CHECK(fails(request(empty.path()), Step::kMap, ENODATA));
  TemporaryFile file(10, 'f');
  FileRequest at_end = request(file.path());
  at_end.offset = 10;
  CHECK(fails(at_end, Step::kMap, ENODATA));
  FileRequest none = request(file.path());
  none.length = 0;
  CHECK(fails(none, Step::kMap, ENODATA));
}

TEST("growing a file keeps its bytes and maps the new ones") {
  const size_t page = page_size();
  TemporaryFile file(10, 'f');
  FileRequest wanted = request(file.path(), O_RDWR);
  wanted.grow_to = static_cast<int64_t>(3 * page);
  FileFacts facts;
  Result<Mapping> mapping = map_file(wanted, facts);
  CHECK(mapping && facts.size == wanted.grow_to && file.size() == 3 * page);
  CHECK(all_bytes(mapping->address(), 10, 'f'));
  CHECK(all_bytes(mapping->address() + 10, 3 * page - 10, 0));
  wanted.grow_to = 5;
  mapping = map_file(wanted, facts);
  CHECK(mapping && file.size() == 3 * page);
}

TEST("a file that was grown and cannot be mapped has its old size again") {
  TemporaryFile file(10, 'f');
  FileRequest wanted = request(file.path(), O_RDWR);
  wanted.grow_to = 100000;
  {
    Refuse full(Call::kMmap, MAP_SHARED, ENOMEM);
    CHECK(fails(wanted, Step::kMap, ENOMEM));
  }
  CHECK(file.size() == 10);
  wanted.path = nullptr;
  wanted.fd = file.fd();
  wanted.keep_above = 0;
  Refuse no_descriptor(Call::kFcntl, F_DUPFD_CLOEXEC, EMFILE);
  CHECK(fails(wanted, Step::kKeep, EMFILE));
  CHECK(no_descriptor.refused() == 1);
  CHECK(file.size() == 10);
}

TEST("a descriptor is kept for mappings longer than asked") {
  TemporaryFile file(100, 'f');
  const int descriptors = open_descriptors();
  FileRequest wanted = request(file.path());
  FileFacts facts;
  wanted.keep_above = 100;
  Result<Mapping> mapping = map_file(wanted, facts);
  CHECK(mapping && mapping->fd() == -1 && open_descriptors() == descriptors);
  wanted.keep_above = 99;
  mapping = map_file(wanted, facts);
  CHECK(mapping && mapping->fd() >= 0 && open_descriptors() == descriptors + 1);
  CHECK((::fcntl(mapping->fd(), F_GETFD) & FD_CLOEXEC) != 0);
  wanted.path = nullptr;
  wanted.fd = file.fd();
  mapping = map_file(wanted, facts);
  CHECK(mapping && mapping->fd() >= 0 && mapping->fd() != file.fd());
  mapping = Mapping();
  CHECK(open_descriptors() == descriptors);
}

TEST("growing on a full disk is ENOSPC, and the file has its old size") {
  SmallDisk disk;
  if (!disk.mounted()) SKIP("only root mounts a small tmpfs");
  const auto too_much = static_cast<int64_t>(100 * page_size());
  TemporaryFile file(10, 'f', disk.path());
  CHECK(grow_file(file.fd(), 10, too_much).value == ENOSPC);
  CHECK(file.size() == 10);
  FileRequest wanted = request(file.path(), O_RDWR);
  wanted.grow_to = too_much;
  CHECK(fails(wanted, Step::kGrow, ENOSPC));
  CHECK(file.size() == 10 && file.all('f'));
  // A file system that knows no fallocate: zeros are written, until it is full.
  Refuse old_kernel(Call::kFallocate, 0, EOPNOTSUPP);
  CHECK(grow_file(file.fd(), 10, too_much).value == ENOSPC);
  CHECK(file.size() == 10 && file.all('f'));
}

TEST("without fallocate zeros are written behind the end") {
  constexpr int64_t kSize = 200000;  // several chunks, the last one short
  TemporaryFile file(10, 'f');
  Refuse old_kernel(Call::kFallocate, 0, EOPNOTSUPP);
  CHECK(!grow_file(file.fd(), 10, kSize).failed());
  CHECK(old_kernel.refused() == 1);
  const std::string content = file.content();
  CHECK(content.size() == static_cast<size_t>(kSize));
  CHECK(all_bytes(content.data(), 10, 'f'));
  CHECK(all_bytes(content.data() + 10, content.size() - 10, 0));
}

TEST("growing goes on after a signal, never shrinks, and passes other errors on") {
  TemporaryFile file(10, 'f');
  {
    Refuse interrupted(Call::kFallocate, 0, EINTR, 0, 3);
    CHECK(!grow_file(file.fd(), 10, 5000).failed());
    CHECK(interrupted.refused() == 3 && file.size() == 5000);
  }
  CHECK(!grow_file(file.fd(), 5000, 100).failed());
  CHECK(file.size() == 5000);
  Refuse broken(Call::kFallocate, 0, EIO);
  CHECK(grow_file(file.fd(), 5000, 6000).value == EIO);
  CHECK(file.size() == 5000);
}

TEST("a memfd is whole pages long, and kept") {
  const int descriptors = open_descriptors();
  Mapping::Request pages;
  pages.length = page_size() + 1;
  pages.prot = PROT_READ | PROT_WRITE;
  pages.flags = MAP_SHARED;
  Step step = Step::kOpen;
  Result<Mapping> mapping = map_memfd("memmap test", MFD_CLOEXEC, pages, step);
  CHECK(mapping && mapping->length() == 2 * page_size());
  CHECK(mapping->fd() >= 0 && open_descriptors() == descriptors + 1);
  struct stat facts = {};
  CHECK(::fstat(mapping->fd(), &facts) == 0);
  CHECK(facts.st_size == static_cast<off_t>(2 * page_size()));
  CHECK(vma_at(mapping->address()).path.find("memfd:memmap test") != std::string::npos);
  CHECK(!mapping->close().failed() && open_descriptors() == descriptors);
}

TEST("memory that would not be the file's is EINVAL, before anything happens") {
  TemporaryFile file(1, 'f');
  FileRequest anonymous = request(file.path());
  anonymous.flags = MAP_PRIVATE | MAP_ANONYMOUS;
  CHECK(fails(anonymous, Step::kMap, EINVAL));
  Mapping::Request pages;
  pages.length = page_size();
  pages.flags = MAP_PRIVATE | MAP_ANONYMOUS;
  Step step = Step::kOpen;
  // Its huge page is 512 of the pages that such a mapping has.
  CHECK(map_memfd("memmap", MFD_HUGETLB, pages, step).error().value == EINVAL);
  CHECK(step == Step::kMap);
}

TEST("a memfd that cannot be had leaves nothing open") {
  const int descriptors = open_descriptors();
  Mapping::Request pages;
  pages.prot = PROT_READ;
  pages.flags = MAP_SHARED;
  Step step = Step::kMap;
  CHECK(map_memfd("memmap", 0, pages, step).error().value == EINVAL);
  CHECK(step == Step::kStat);
  pages.length = SIZE_MAX;
  CHECK(map_memfd("memmap", 0, pages, step).error().value == ENOMEM);
  pages.length = 1;
  CHECK(map_memfd("memmap", ~0U, pages, step).error().value == EINVAL);
  CHECK(step == Step::kOpen);
  {
    Refuse full(Call::kFallocate, 0, ENOSPC);
    CHECK(map_memfd("memmap", 0, pages, step).error().value == ENOSPC);
    CHECK(step == Step::kGrow);
  }
  {
    // More than the machine has: nothing is allocated.
    Refuse poor(Call::kMmap, MAP_SHARED | MAP_ANONYMOUS, ENOMEM);
    CHECK(map_memfd("memmap", 0, pages, step).error().value == ENOMEM);
    CHECK(step == Step::kGrow);
  }
  Refuse full(Call::kMmap, MAP_SHARED, ENOMEM, 1);
  CHECK(map_memfd("memmap", 0, pages, step).error().value == ENOMEM);
  CHECK(step == Step::kMap);
  CHECK(open_descriptors() == descriptors);
}

}  // namespace
