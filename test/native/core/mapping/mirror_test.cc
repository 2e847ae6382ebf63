#include "core/mapping/mirror.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "sys/abi.h"
#include "sys/fd.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::map_mirrored;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::sys::UniqueFd;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::map_foreign;
using memmap::test::mapped;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

TEST("a mirrored part of a file goes on at its start") {
  const size_t page = page_size();
  TemporaryFile file(3 * page, 'f');
  auto mapping = map_mirrored(file.fd(), static_cast<int64_t>(page), 2 * page, nullptr);
  CHECK(bool{mapping});
  CHECK(mapping->length() == 4 * page);
  char* begin = mapping->address();
  begin[2 * page + 5] = 'x';  // past the end of the first image
  CHECK(begin[5] == 'x');
  CHECK(file.content()[page + 5] == 'x');
  begin[page - 1] = 'y';
  CHECK(begin[3 * page - 1] == 'y');
  CHECK(all_bytes(file.content().data(), page, 'f'));
}

TEST("a mirrored part is whole pages of the file") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  CHECK(map_mirrored(file.fd(), 0, 0, nullptr).error().value == EINVAL);
  CHECK(map_mirrored(file.fd(), 0, page + 1, nullptr).error().value == EINVAL);
  CHECK(map_mirrored(file.fd(), 1, page, nullptr).error().value == EINVAL);
  CHECK(map_mirrored(file.fd(), -1, page, nullptr).error().value == EINVAL);
  CHECK(map_mirrored(file.fd(), 0, SIZE_MAX / 2, nullptr).error().value == EINVAL);
  char* somewhere = nullptr;
  CHECK(map_mirrored(file.fd(), 0, page, somewhere + 1).error().value == EINVAL);
  CHECK(map_mirrored(-1, 0, page, nullptr).error().value == EBADF);
}

TEST("a mirrored part of a file of huge pages is whole huge pages") {
  const size_t page = page_size();
  const UniqueFd file(
      ::memfd_create("memmap test", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB));
  CHECK(file.valid() && ::ftruncate(file.get(), 2 << 20) == 0);
  CHECK(map_mirrored(file.get(), 0, page, nullptr).error().value == EINVAL);
}

TEST("a mirrored part that closes leaves no page of the file mapped") {
  const size_t page = page_size();
  TemporaryFile file(page, 'f');
  auto mapping = map_mirrored(file.fd(), 0, page, nullptr);
  const char* begin = mapping->address();
  CHECK(vma_at(begin).inode == file.inode() &&
        vma_at(begin + page).inode == file.inode());
  CHECK(!mapping->close().failed());
  CHECK(vma_at(begin).inode != file.inode() &&
        vma_at(begin + page).inode != file.inode());
}

TEST("a mirrored part over a buffer of the runtime takes all of its pages, or none") {
  const size_t page = page_size();
  TemporaryFile file(page, 'f');
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  void* buffer = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  auto* bytes = static_cast<char*>(buffer);
  {
    // The second image fails.
    Refuse refuse(Call::kMmap, MAP_SHARED | MAP_FIXED, ENOMEM, 1);
    CHECK(map_mirrored(file.fd(), 0, page, buffer).error().value == ENOMEM);
  }
  CHECK(vma_at(bytes).inode != file.inode() &&
        vma_at(bytes + page).inode != file.inode());
  {
    auto mapping = map_mirrored(file.fd(), 0, page, buffer);
    CHECK(bool{mapping});
    CHECK(bytes[0] == 'f' && bytes[page] == 'f');
  }
  ::munmap(buffer, 2 * page);
}

TEST("a mirrored part that the kernel refuses late leaves no hole in the buffer") {
  const size_t page = page_size();
  TemporaryFile file(page, 'f');
  for (const int after : {0, 1}) {
    char* buffer = map_foreign(2);
    {
      Refuse late(Call::kMmap, MAP_SHARED | MAP_FIXED, EFAULT, after, 1);
      CHECK(map_mirrored(file.fd(), 0, page, buffer).error().value == EFAULT);
      CHECK(late.refused() == 1);
    }
    CHECK(mapped(buffer, 1) && mapped(buffer + page, 1));
    CHECK(all_bytes(buffer, 2 * page, 0));
    ::munmap(buffer, 2 * page);
  }
}

TEST("a mirrored part of what is sealed is refused before any page is unmapped") {
  const size_t page = page_size();
  const UniqueFd file(::memfd_create("memmap test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK(::ftruncate(file.get(), static_cast<off_t>(page)) == 0);
  CHECK(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE) == 0);
  char* buffer = map_foreign(2);
  std::memset(buffer, 'b', 2 * page);
  {
    const Refuse any(Call::kMmap, MAP_SHARED | MAP_FIXED, EFAULT);
    CHECK(map_mirrored(file.get(), 0, page, buffer).error().value == EPERM);
    CHECK(any.refused() == 0);
  }
  CHECK(all_bytes(buffer, 2 * page, 'b'));
  ::munmap(buffer, 2 * page);
}

}  // namespace
