#include "core/vma.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::find_vma;
using memmap::core::open_file_of;
using memmap::core::page_size;
using memmap::core::Vma;
using memmap::sys::UniqueFd;
using memmap::test::Call;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

constexpr unsigned kQuery = static_cast<unsigned>(memmap::sys::kProcmapQuery);

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

void* pages_of(int fd, size_t pages, int prot, int flags, off_t offset = 0) {
  return ::mmap(nullptr, pages * page_size(), prot, flags, fd, offset);
}

// Whether find_vma says what the text of /proc/self/maps says.
bool agrees(const void* address) {
  const auto found = std::make_unique<Vma>();
  const memmap::test::Vma seen = vma_at(address);
  if (!find_vma(number(address), *found)) return false;
  const std::string permissions = {found->readable ? 'r' : '-',
                                   found->writable ? 'w' : '-',
                                   found->shared ? 's' : 'p'};
  const std::string wanted = {seen.permissions[0], seen.permissions[1],
                              seen.permissions[3]};
  return found->start == seen.start && found->end == seen.end &&
         found->inode == seen.inode && permissions == wanted && found->path == seen.path;
}

// Every kind of mapping that a mapping of ours can be, and those of the process.
void check_agreement() {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  for (int flags : {MAP_SHARED, MAP_PRIVATE}) {
    for (int prot : {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE}) {
      auto* pages = static_cast<char*>(
          pages_of(file.fd(), 3, prot, flags, static_cast<off_t>(page)));
      CHECK(agrees(pages) && agrees(pages + 3 * page - 1));
      const auto vma = std::make_unique<Vma>();
      CHECK(find_vma(number(pages + page), *vma));
      CHECK(vma->offset == page && vma->path == std::string(file.path()));
      ::munmap(pages, 3 * page);
      CHECK(!find_vma(number(pages), *vma));
    }
  }
  void* anonymous = pages_of(-1, 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
  CHECK(agrees(anonymous));
  ::munmap(anonymous, 2 * page);
  const int local = 0;
  CHECK(agrees(&local));
  CHECK(agrees(reinterpret_cast<const void*>(&check_agreement)));
  const UniqueFd memfd(::memfd_create("a name with spaces", MFD_CLOEXEC));
  CHECK(::ftruncate(memfd.get(), static_cast<off_t>(page)) == 0);
  void* memory = pages_of(memfd.get(), 1, PROT_READ, MAP_SHARED);
  CHECK(agrees(memory));
  ::munmap(memory, page);
}

TEST("find_vma says what /proc/self/maps says") {
  memmap::core::prepare_find_vma();
  check_agreement();
}

TEST("find_vma says it on a kernel without PROCMAP_QUERY, too") {
  memmap::core::prepare_find_vma();
  Refuse old_kernel(Call::kIoctl, kQuery, ENOTTY);
  check_agreement();
  CHECK(old_kernel.refused() > 0);
}

TEST("find_vma finds nothing at addresses that nothing is mapped at") {
  for (int times : {0, INT_MAX}) {
    Refuse old_kernel(Call::kIoctl, kQuery, ENOTTY, 0, times);
    const auto vma = std::make_unique<Vma>();
    CHECK(!find_vma(0, *vma));
    CHECK(!find_vma(page_size(), *vma));
    CHECK(!find_vma(SIZE_MAX, *vma));
  }
}

TEST("find_vma says the size of huge pages where the kernel does") {
  constexpr size_t kHuge = size_t{2} << 20;
  void* pages = ::mmap(nullptr, kHuge, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
  if (pages == MAP_FAILED) SKIP("no huge pages of 2 MiB");
  const auto vma = std::make_unique<Vma>();
  CHECK(find_vma(number(pages), *vma));
  CHECK(vma->page_size == kHuge || vma->page_size == 0);
  ::munmap(pages, kHuge);
}

TEST("find_vma reads maps that are longer than its buffer") {
  // Pages of alternating access do not merge.
  constexpr size_t kCount = 2000;
  auto* pages = static_cast<char*>(
      pages_of(-1, kCount, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
  for (size_t i = 0; i < kCount; i += 2) {
    CHECK(::mprotect(pages + i * page_size(), page_size(), PROT_NONE) == 0);
  }
  Refuse old_kernel(Call::kIoctl, kQuery, ENOTTY);
  bool wrong = false;
  for (size_t i = 0; i < kCount; i += 97) {
    const auto vma = std::make_unique<Vma>();
    const char* address = pages + i * page_size();
    if (!find_vma(number(address), *vma) || vma->readable != (i % 2 == 1) ||
        (i > 0 && i + 1 < kCount && vma->start != number(address))) {
      wrong = true;
    }
  }
  CHECK(!wrong);
  ::munmap(pages, kCount * page_size());
}

// Pages that do not merge with each other, whose lines come before those of other
// mappings.
void come_and_go(const std::atomic<bool>& over) {
  constexpr size_t kCount = 40;
  auto* const low = reinterpret_cast<void*>(uintptr_t{1} << 32);
  while (!over) {
    auto* pages = static_cast<char*>(
        ::mmap(low, kCount * page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (size_t i = 0; i < kCount; i += 2) {
      ::mprotect(pages + i * page_size(), page_size(), PROT_NONE);
    }
    ::munmap(pages, kCount * page_size());
  }
}

TEST("find_vma reads whole lines while threads map, unmap and ask") {
  memmap::core::prepare_find_vma();
  void* page = pages_of(-1, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS);
  Refuse old_kernel(Call::kIoctl, kQuery, ENOTTY);
  std::atomic<bool> over = false;
  std::atomic<int> lost = 0;
  std::thread others([&] { come_and_go(over); });
  auto ask = [&] {
    const auto vma = std::make_unique<Vma>();
    for (int i = 0; i < 2000; i++) {
      if (!find_vma(number(page), *vma) || !vma->shared) lost++;
    }
  };
  std::thread another(ask);
  ask();
  another.join();
  over = true;
  others.join();
  CHECK(lost == 0);
  ::munmap(page, page_size());
}

// A page of the file, and what find_vma says of it.
struct Mapped {
  explicit Mapped(const TemporaryFile& file)
      : address(pages_of(file.fd(), 1, PROT_READ, MAP_SHARED)),
        vma(std::make_unique<Vma>()),
        found(find_vma(number(address), *vma)) {}
  ~Mapped() { ::munmap(address, page_size()); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  void* address;
  std::unique_ptr<Vma> vma;
  bool found;
};

TEST("open_file_of opens the file that is mapped") {
  TemporaryFile file(page_size(), 'f');
  const Mapped mapped(file);
  CHECK(mapped.found);
  auto opened = open_file_of(*mapped.vma, O_RDONLY);
  CHECK(opened);
  char byte = 0;
  CHECK(::pread(opened->get(), &byte, 1, 0) == 1 && byte == 'f');
  CHECK((::fcntl(opened->get(), F_GETFD) & FD_CLOEXEC) != 0);
}

bool refuses(const Vma& vma, int flags = O_RDONLY) {
  auto opened = open_file_of(vma, flags);
  return !opened && opened.error().value == ENOENT;
}

TEST("open_file_of refuses a path that leads to another file") {
  TemporaryFile file(page_size(), 'f');
  TemporaryFile other(page_size(), 'o');
  const Mapped mapped(file);
  std::strcpy(mapped.vma->path, other.path());
  CHECK(refuses(*mapped.vma));
  CHECK(refuses(*mapped.vma, O_PATH));
}

TEST("open_file_of refuses what has been renamed over the file, and nowhere") {
  TemporaryFile file(page_size(), 'f');
  TemporaryFile other(page_size(), 'o');
  const Mapped mapped(file);
  const std::string path = file.path();
  CHECK(::rename(other.path(), file.path()) == 0);
  // As the maps were read before the rename, and as they are read after it.
  CHECK(refuses(*mapped.vma));
  CHECK(find_vma(number(mapped.address), *mapped.vma));
  CHECK(mapped.vma->path == path + " (deleted)");
  CHECK(refuses(*mapped.vma));
}

TEST(
    "open_file_of refuses a directory, anonymous memory and a memfd, and opens nothing") {
  const int descriptors = memmap::test::open_descriptors();
  const auto vma = std::make_unique<Vma>();
  struct stat facts = {};
  CHECK(::stat("/tmp", &facts) == 0);
  vma->inode = facts.st_ino;
  std::strcpy(vma->path, "/tmp");
  CHECK(refuses(*vma));
  std::strcpy(vma->path, "[heap]");
  CHECK(refuses(*vma));
  vma->inode = 0;
  CHECK(refuses(*vma));
  {
    const UniqueFd memfd(::memfd_create("m", MFD_CLOEXEC));
    CHECK(::ftruncate(memfd.get(), static_cast<off_t>(page_size())) == 0);
    void* memory = pages_of(memfd.get(), 1, PROT_READ, MAP_SHARED);
    CHECK(find_vma(number(memory), *vma));
    CHECK(refuses(*vma));
    ::munmap(memory, page_size());
  }
  CHECK(memmap::test::open_descriptors() == descriptors);
}

TEST("open_file_of does not wait for a FIFO that has taken the file's place") {
  const auto vma = std::make_unique<Vma>();
  const std::string path = "/tmp/memmap-fifo-" + std::to_string(::getpid());
  CHECK(::mkfifo(path.c_str(), 0600) == 0);
  struct stat facts = {};
  CHECK(::stat(path.c_str(), &facts) == 0);
  vma->inode = facts.st_ino;
  std::strcpy(vma->path, path.c_str());
  const bool refused = refuses(*vma);
  ::unlink(path.c_str());
  CHECK(refused);
}

}  // namespace
