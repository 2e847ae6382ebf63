#include "sys/memory.h"

#include <sys/mman.h>

#include <cstring>

#include "check.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "temporary.h"
#include "witness.h"

namespace {

namespace sys = memmap::sys;
using memmap::test::vma_at;

constexpr size_t kPage = 65536;  // a multiple of every page size

void* map_page() {
  return ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0);
}

// An address where nothing is mapped.
void* nowhere() {
  void* page = map_page();
  ::munmap(page, kPage);
  return page;
}

TEST("mmap gives an address or the errno, never MAP_FAILED") {
  sys::Result<void*> page =
      sys::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page && vma_at(*page).mapped());
  CHECK(!sys::munmap(*page, kPage).failed());
  CHECK(!vma_at(*page).mapped());
  page = sys::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, -1, 0);
  CHECK(!page && page.error().value == EBADF);
}

TEST("mremap moves where it is told") {
  void* from = map_page();
  void* to = map_page();
  static_cast<char*>(from)[0] = 'a';
  sys::Result<void*> moved =
      sys::mremap(from, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  CHECK(moved && *moved == to && static_cast<char*>(to)[0] == 'a');
  CHECK(!vma_at(from).mapped());
  CHECK(sys::mremap(from, kPage, kPage, 0).error().value == EFAULT);
  ::munmap(to, kPage);
}

TEST("mprotect changes what the kernel allows") {
  void* page = map_page();
  CHECK(!sys::mprotect(page, kPage, PROT_READ).failed());
  CHECK(std::strcmp(vma_at(page).permissions, "r--p") == 0);
  ::munmap(page, kPage);
  CHECK(sys::mprotect(page, kPage, PROT_READ).value == ENOMEM);
}

TEST("calls on addresses without pages fail with the kernel's errno") {
  void* gone = nowhere();
  unsigned char vec[16];
  CHECK(sys::msync(gone, kPage, MS_SYNC).value == ENOMEM);
  CHECK(sys::madvise(gone, kPage, MADV_WILLNEED).value == ENOMEM);
  CHECK(sys::mincore(gone, kPage, vec).value == ENOMEM);
  CHECK(sys::mlock2(gone, kPage, 0).value == ENOMEM);
  const int error = sys::mseal(gone, kPage, 0).value;
  CHECK(error == ENOMEM || error == ENOSYS);
}

TEST("mlock and munlock on addresses without pages are ENOMEM") {
  void* gone = nowhere();
  CHECK(sys::mlock(gone, kPage).value == ENOMEM);
  CHECK(sys::munlock(gone, kPage).value == ENOMEM);
}

TEST("madvise and mincore act on the pages") {
  void* page = map_page();
  std::memset(page, 'a', kPage);
  unsigned char vec[16] = {};
  CHECK(!sys::mincore(page, kPage, vec).failed() && (vec[0] & 1) == 1);
  CHECK(!sys::madvise(page, kPage, MADV_DONTNEED).failed());
  CHECK(!sys::mincore(page, kPage, vec).failed() && (vec[0] & 1) == 0);
  CHECK(static_cast<char*>(page)[0] == 0);
  ::munmap(page, kPage);
}

TEST("process_madvise advises this process through its pidfd") {
  auto self = sys::pidfd_open(::getpid(), 0);
  if (!self && self.error().value == ENOSYS) SKIP("pidfd_open is Linux 5.3");
  CHECK(self);
  void* page = map_page();
  const iovec range = {page, kPage};
  auto advised = sys::process_madvise(self->get(), &range, 1, MADV_COLD, 0);
  ::munmap(page, kPage);
  if (!advised && advised.error().value == ENOSYS) SKIP("process_madvise is Linux 5.10");
  CHECK(advised && *advised == static_cast<ssize_t>(kPage));
  CHECK(sys::process_madvise(-1, &range, 1, MADV_COLD, 0).error().value == EBADF);
}

}  // namespace
