#include "core/extent/vma.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::find_vma;
using memmap::core::for_each_vma;
using memmap::core::has_procmap_query;
using memmap::core::open_file_of;
using memmap::core::page_size;
using memmap::core::prepare_find_vma;
using memmap::core::query_vma;
using memmap::core::Vma;
using memmap::core::VmaText;
using memmap::sys::UniqueFd;
using memmap::test::Asked;
using memmap::test::Call;
using memmap::test::number;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

constexpr unsigned kQuery = static_cast<unsigned>(memmap::sys::kProcmapQuery);

void* map_pages(int fd, size_t pages, int prot, int flags, off_t offset = 0) {
  return ::mmap(nullptr, pages * page_size(), prot, flags, fd, offset);
}

// Whether find_vma says what the text of /proc/self/maps says.
bool agrees(const void* address) {
  const Asked asked(address);
  const memmap::test::Vma seen = vma_at(address);
  if (!asked.found) return false;
  const Vma& found = asked.vma;
  const std::string permissions = {found.readable ? 'r' : '-', found.writable ? 'w' : '-',
                                   found.executable ? 'x' : '-',
                                   found.shared ? 's' : 'p'};
  return found.start == seen.start && found.end == seen.end &&
         found.inode == seen.inode && permissions == seen.permissions &&
         found.path == seen.path;
}

// Every kind of mapping that a mapping of ours can be, and those of the process.
void check_agreement() {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  for (int flags : {MAP_SHARED, MAP_PRIVATE}) {
    for (int prot : {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_EXEC}) {
      auto* pages = static_cast<char*>(
          map_pages(file.fd(), 3, prot, flags, static_cast<off_t>(page)));
      CHECK(agrees(pages) && agrees(pages + 3 * page - 1));
      const Asked asked(pages + page);
      CHECK(asked.found && asked.vma.offset == page);
      CHECK(asked.vma.path == std::string(file.path()));
      struct stat facts = {};
      CHECK(::fstat(file.fd(), &facts) == 0);
      CHECK(makedev(asked.vma.device_major, asked.vma.device_minor) == facts.st_dev);
      ::munmap(pages, 3 * page);
      CHECK(!Asked(pages).found);
    }
  }
  void* anonymous = map_pages(-1, 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
  CHECK(agrees(anonymous));
  ::munmap(anonymous, 2 * page);
  const int local = 0;
  CHECK(agrees(&local));
  CHECK(agrees(reinterpret_cast<const void*>(&check_agreement)));
  const UniqueFd memfd(::memfd_create("a name with spaces", MFD_CLOEXEC));
  CHECK(::ftruncate(memfd.get(), static_cast<off_t>(page)) == 0);
  void* memory = map_pages(memfd.get(), 1, PROT_READ, MAP_SHARED);
  CHECK(agrees(memory));
  ::munmap(memory, page);
}

TEST("find_vma says what /proc/self/maps says") {
  CHECK(!prepare_find_vma().failed());
  check_agreement();
}

TEST("find_vma says it on a kernel without PROCMAP_QUERY, too") {
  CHECK(!prepare_find_vma().failed());
  Refuse old_kernel(Call::kIoctl, kQuery, ENOTTY);
  check_agreement();
  CHECK(old_kernel.refused() > 0);
}

TEST("find_vma finds nothing at addresses that nothing is mapped at") {
  for (int times : {0, INT_MAX}) {
    Refuse old_kernel(Call::kIoctl, kQuery, ENOTTY, 0, times);
    const auto text = std::make_unique<VmaText>();
    Vma vma = {};
    for (uintptr_t address : {uintptr_t{0}, page_size(), SIZE_MAX}) {
      CHECK(!find_vma(address, vma, *text));
    }
  }
}

TEST("find_vma says the size of huge pages where the kernel does") {
  constexpr size_t kHuge = size_t{2} << 20;
  void* pages = ::mmap(nullptr, kHuge, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
  if (pages == MAP_FAILED) SKIP("no huge pages of 2 MiB");
  const Asked asked(pages);
  CHECK(asked.found);
  CHECK(asked.vma.page_size == kHuge || asked.vma.page_size == 0);
  ::munmap(pages, kHuge);
}

TEST("find_vma reads maps that are longer than its buffer") {
  // Pages of alternating access do not merge.
  constexpr size_t kCount = 2000;
  auto* pages = static_cast<char*>(
      map_pages(-1, kCount, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
  for (size_t i = 0; i < kCount; i += 2) {
    CHECK(::mprotect(pages + i * page_size(), page_size(), PROT_NONE) == 0);
  }
  Refuse old_kernel(Call::kIoctl, kQuery, ENOTTY);
  bool wrong = false;
  for (size_t i = 0; i < kCount; i += 97) {
    const char* address = pages + i * page_size();
    const Asked asked(address);
    if (!asked.found || asked.vma.readable != (i % 2 == 1) ||
        (i > 0 && i + 1 < kCount && asked.vma.start != number(address))) {
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
  CHECK(!prepare_find_vma().failed());
  void* page = map_pages(-1, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS);
  Refuse old_kernel(Call::kIoctl, kQuery, ENOTTY);
  std::atomic<bool> over = false;
  std::atomic<int> lost = 0;
  std::thread others([&] { come_and_go(over); });
  auto ask = [&] {
    for (int i = 0; i < 2000; i++) {
      const Asked asked(page);
      if (!asked.found || !asked.vma.shared) lost++;
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

// A page of the file.
struct Mapped {
  explicit Mapped(const TemporaryFile& file)
      : address(map_pages(file.fd(), 1, PROT_READ, MAP_SHARED)) {}
  ~Mapped() { ::munmap(address, page_size()); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  void* address;
};

TEST("open_file_of opens the file that is mapped") {
  TemporaryFile file(page_size(), 'f');
  const Mapped mapped(file);
  const Asked asked(mapped.address);
  CHECK(asked.found);
  auto opened = open_file_of(asked.vma, O_RDONLY);
  CHECK(opened);
  char byte = 0;
  CHECK(::pread(opened->get(), &byte, 1, 0) == 1 && byte == 'f');
  CHECK((::fcntl(opened->get(), F_GETFD) & FD_CLOEXEC) != 0);
}

bool refuses(const Vma& vma, int flags = O_RDONLY) {
  auto opened = open_file_of(vma, flags);
  return !opened && opened.error().value == ENOENT;
}

TEST("open_file_of finds nothing where the path of the file has gone") {
  TemporaryFile file(page_size(), 'f');
  TemporaryFile other(page_size(), 'o');
  const Mapped mapped(file);
  const std::string path = file.path();
  CHECK(::rename(other.path(), file.path()) == 0);
  const Asked asked(mapped.address);
  CHECK(asked.found && asked.vma.path == path + " (deleted)");
  CHECK(refuses(asked.vma) && refuses(asked.vma, O_PATH));
}

// A mapping of a file at the path, as /proc would show it.
Vma at_path(const char* path) {
  Vma vma = {};
  vma.inode = 1;
  vma.path = path;
  return vma;
}

TEST(
    "open_file_of refuses a directory, anonymous memory and a memfd, and opens nothing") {
  const int descriptors = memmap::test::open_descriptors();
  CHECK(refuses(at_path("/tmp")) && refuses(at_path("/tmp"), O_PATH));
  CHECK(refuses(at_path("[heap]")) && refuses(at_path("")));
  TemporaryFile file(page_size(), 'f');
  Vma without_file = at_path(file.path());
  without_file.inode = 0;
  CHECK(refuses(without_file));
  {
    const UniqueFd memfd(::memfd_create("m", MFD_CLOEXEC));
    CHECK(::ftruncate(memfd.get(), static_cast<off_t>(page_size())) == 0);
    void* memory = map_pages(memfd.get(), 1, PROT_READ, MAP_SHARED);
    const Asked asked(memory);
    CHECK(asked.found && refuses(asked.vma));
    ::munmap(memory, page_size());
  }
  CHECK(memmap::test::open_descriptors() == descriptors + 1);
}

TEST("open_file_of does not wait for a FIFO that has taken the file's place") {
  const std::string path = "/tmp/memmap-fifo-" + std::to_string(::getpid());
  CHECK(::mkfifo(path.c_str(), 0600) == 0);
  const bool refused = refuses(at_path(path.c_str()));
  ::unlink(path.c_str());
  CHECK(refused);
}

struct Seen {
  uintptr_t wanted;
  uintptr_t last_end;
  bool ascending;
  bool found;
};

bool look(void* context, const Vma& vma) {
  auto& seen = *static_cast<Seen*>(context);
  seen.ascending = seen.ascending && vma.start >= seen.last_end;
  seen.last_end = vma.end;
  seen.found = vma.start <= seen.wanted && seen.wanted < vma.end;
  return !seen.found;
}

TEST("for_each_vma goes through all mappings by address, until it is told to stop") {
  void* page = map_pages(-1, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS);
  const auto text = std::make_unique<VmaText>();
  Seen seen = {number(page), 0, true, false};
  CHECK(for_each_vma(*text, look, &seen));
  CHECK(seen.found && seen.ascending);
  CHECK(seen.last_end == vma_at(page).end);
  Refuse full(Call::kOpen, 0, EMFILE);
  CHECK(!for_each_vma(*text, look, &seen));
  ::munmap(page, page_size());
}

TEST("query_vma tells nothing mapped from a kernel that does not answer") {
  CHECK(!prepare_find_vma().failed());
  const auto text = std::make_unique<VmaText>();
  Vma vma = {};
  if (!has_procmap_query()) SKIP("PROCMAP_QUERY needs Linux 6.11");
  CHECK(!query_vma(number(text.get()), vma, *text).failed());
  CHECK(vma.start <= number(text.get()) && number(text.get()) < vma.end);
  CHECK(query_vma(page_size(), vma, *text).value == ENOENT);
  Refuse old_kernel(Call::kIoctl, kQuery, ENOTTY);
  CHECK(query_vma(number(text.get()), vma, *text).value == ENOTTY);
}

TEST_ALONE("without /proc there is nothing to ask, until it is there") {
  const auto text = std::make_unique<VmaText>();
  Vma vma = {};
  CHECK(!find_vma(number(&vma), vma, *text));
  CHECK(query_vma(number(&vma), vma, *text).value == EBADF);
  {
    Refuse full(Call::kOpen, 0, EMFILE);
    CHECK(prepare_find_vma().value == EMFILE);
    CHECK(!find_vma(number(&vma), vma, *text));
  }
  CHECK(!prepare_find_vma().failed());
  CHECK(find_vma(number(&vma), vma, *text));
}

}  // namespace
