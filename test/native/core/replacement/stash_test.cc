#include "core/replacement/stash.h"

#include <sys/mman.h>

#include <cstring>

#include "check.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "kernel.h"
#include "mappings.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::copy_readable;
using memmap::core::drop_stash;
using memmap::core::page_size;
using memmap::core::PageReplacementLock;
using memmap::core::Stash;
using memmap::core::stash_copy;
using memmap::core::stash_pages;
using memmap::core::stash_shared;
using memmap::core::unstash;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::map_foreign;
using memmap::test::number;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

// Pages without access, and a list of what has been stashed of them. Under the lock.
class Hidden {
 public:
  Hidden(size_t pages, char letter, int fd = -1, int flags = kAnonymous)
      : length_(pages * page_size()) {
    void* mapped = ::mmap(nullptr, length_, kReadWrite, flags, fd, 0);
    address_ = static_cast<char*>(mapped);
    if (letter != 0) std::memset(address_, letter, length_);
    protect(PROT_NONE);
  }
  ~Hidden() {
    drop_stash(list_);
    ::munmap(address_, length_);
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

  void protect(int prot) { ::mprotect(address_, length_, prot); }
  // What is put in the place of stashed pages.
  void cover() {
    static_cast<void>(
        ::mmap(address_, length_, kReadWrite, kAnonymous | MAP_FIXED, -1, 0));
  }
  bool stash_all() { return stash_pages(list_, number(address_), length_); }
  bool put_back() { return !unstash(list_).failed(); }

  char* address() const { return address_; }
  size_t length() const { return length_; }
  Stash*& list() { return list_; }
  // Where the pages are that were stashed last.
  const char* stashed() const { return list_ == nullptr ? nullptr : list_->pages; }

 private:
  const PageReplacementLock lock_;
  size_t length_;
  char* address_;
  Stash* list_ = nullptr;
};

TEST("stashed pages come back with their contents, and nothing of them is left") {
  Hidden pages(3, 'a');
  CHECK(pages.stash_all());
  CHECK(vma_at(pages.address()).mapped());  // no hole for others to map into
  pages.cover();
  CHECK(all_bytes(pages.address(), pages.length(), 0));
  const char* stashed = pages.stashed();
  CHECK(stashed != nullptr && vma_at(stashed).mapped());
  CHECK(pages.put_back() && pages.list() == nullptr);
  CHECK(!vma_at(stashed).mapped());
  CHECK(std::strcmp(vma_at(pages.address()).permissions, "---p") == 0);
  pages.protect(PROT_READ);
  CHECK(all_bytes(pages.address(), pages.length(), 'a'));
}

TEST("stashed pages of a private mapping of a file come back as they were written") {
  TemporaryFile file(2 * page_size(), 'f');
  Hidden pages(2, 'w', file.fd(), MAP_PRIVATE);
  if (!pages.stash_all()) SKIP("files cannot be stashed before Linux 5.13");
  pages.cover();
  pages.address()[0] = 'x';
  CHECK(vma_at(pages.stashed()).inode == file.inode());
  CHECK(pages.put_back());
  CHECK(vma_at(pages.address()).inode == file.inode());
  pages.protect(kReadWrite);
  CHECK(all_bytes(pages.address(), pages.length(), 'w') && file.all('f'));
}

TEST("stashed pages of a shared mapping stay where they are, and come back the same") {
  TemporaryFile file(2 * page_size(), 'f');
  Hidden pages(2, 0, file.fd(), MAP_SHARED);
  CHECK(stash_shared(pages.list(), number(pages.address()), pages.length()));
  CHECK(vma_at(pages.address()).inode == file.inode());
  CHECK(vma_at(pages.stashed()).inode == file.inode());
  pages.cover();
  pages.address()[0] = 'x';
  CHECK(pages.put_back());
  CHECK(vma_at(pages.address()).inode == file.inode());
  pages.protect(kReadWrite);
  CHECK(all_bytes(pages.address(), pages.length(), 'f'));
  pages.address()[0] = 'w';
  CHECK(file.content()[0] == 'w');
}

TEST("a stashed copy is written back over what the pages have become") {
  const size_t page = page_size();
  // Whoever may write there by then.
  for (int prot : {kReadWrite, PROT_READ}) {
    Hidden pages(3, 'a');
    pages.protect(kReadWrite);
    CHECK(stash_copy(pages.list(), number(pages.address()) + page, page, page));
    std::memset(pages.address(), 'x', pages.length());
    pages.protect(prot);
    const char* stashed = pages.stashed();
    CHECK(pages.put_back() && !vma_at(stashed).mapped());
    CHECK(all_bytes(pages.address(), page, 'x'));
    CHECK(all_bytes(pages.address() + page, page, 'a'));
    CHECK(all_bytes(pages.address() + 2 * page, page, 'x'));
  }
}

TEST("parts stashed one after the other come back to where they were") {
  const size_t page = page_size();
  Hidden pages(4, 'a');
  pages.protect(kReadWrite);
  for (size_t i = 0; i < 4; i++) pages.address()[i * page] = static_cast<char>('0' + i);
  pages.protect(PROT_NONE);
  CHECK(stash_pages(pages.list(), number(pages.address()) + 2 * page, page));
  CHECK(stash_pages(pages.list(), number(pages.address()), page));
  CHECK(pages.put_back());
  pages.protect(PROT_READ);
  for (size_t i = 0; i < 4; i++) {
    CHECK(pages.address()[i * page] == static_cast<char>('0' + i));
    CHECK(all_bytes(pages.address() + i * page + 1, page - 1, 'a'));
  }
}

TEST("unstash without anything stashed does nothing") {
  Hidden pages(1, 'a');
  CHECK(pages.put_back());
  pages.protect(PROT_READ);
  CHECK(all_bytes(pages.address(), pages.length(), 'a'));
}

TEST("unstash that fails half-way keeps the rest, which comes back the next time") {
  const size_t page = page_size();
  Hidden pages(3, 'a');
  for (size_t i = 0; i < 3; i++) {
    CHECK(stash_pages(pages.list(), number(pages.address()) + i * page, page));
  }
  pages.cover();
  {
    Refuse full(Call::kMremap, MREMAP_FIXED, EFAULT, 1, 1);
    CHECK(unstash(pages.list()).value == EFAULT && full.refused() == 1);
  }
  CHECK(pages.list() != nullptr && pages.list()->next != nullptr);
  CHECK(pages.list()->next->next == nullptr);
  CHECK(pages.put_back() && pages.list() == nullptr);
  pages.protect(PROT_READ);
  CHECK(all_bytes(pages.address(), pages.length(), 'a'));
}

TEST("drop_stash frees what was stashed, all of it, and leaves the addresses alone") {
  const size_t page = page_size();
  Hidden pages(4, 'a');
  CHECK(stash_pages(pages.list(), number(pages.address()), page));
  const char* first = pages.stashed();
  CHECK(stash_pages(pages.list(), number(pages.address()) + page, 3 * page));
  const char* second = pages.stashed();
  CHECK(vma_at(first).mapped() && vma_at(second).mapped());
  drop_stash(pages.list());
  CHECK(!vma_at(first).mapped() && !vma_at(second).mapped());
  CHECK(!vma_at(second + 2 * page).mapped());
  CHECK(vma_at(pages.address()).mapped() && pages.list() == nullptr);
  drop_stash(pages.list());
  CHECK(pages.put_back());
  pages.protect(PROT_READ);
  CHECK(all_bytes(pages.address(), pages.length(), 0));
}

TEST("a stash that the kernel refuses changes nothing and keeps nothing") {
  Hidden pages(2, 'a');
  {
    Refuse old_kernel(Call::kMremap, MREMAP_DONTUNMAP, EINVAL);
    CHECK(!pages.stash_all());
    CHECK(old_kernel.refused() == 1);
  }
  {
    Refuse full(Call::kMmap, MAP_ANONYMOUS, EPERM);
    CHECK(!stash_copy(pages.list(), number(pages.address()), page_size(), page_size()));
    CHECK(full.refused() == 1);
  }
  {
    Refuse full(Call::kMremap, MREMAP_MAYMOVE, EPERM);
    CHECK(!stash_shared(pages.list(), number(pages.address()), page_size()));
    CHECK(full.refused() == 1);
  }
  CHECK(pages.list() == nullptr && pages.put_back());
  pages.protect(PROT_READ);
  CHECK(all_bytes(pages.address(), pages.length(), 'a'));
}

TEST("what cannot be read is left out of a copy, whatever forbids it") {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  for (int calls : {0, INT_MAX}) {
    Hidden pages(5, 'a');
    pages.protect(PROT_READ);
    CHECK(::mprotect(pages.address() + page, page, PROT_NONE) == 0);
    // A lost page of a file.
    CHECK(::mmap(pages.address() + 3 * page, page, PROT_READ, MAP_SHARED | MAP_FIXED,
                 file.fd(), static_cast<off_t>(8 * page)) != MAP_FAILED);
    char* copy = map_foreign(5);
    std::memset(copy, 'z', 5 * page);
    Refuse forbidden(Call::kProcessVmReadv, 0, EPERM, 0, calls);
    copy_readable(copy, number(pages.address()), 5 * page, page);
    for (size_t i : {0U, 2U, 4U}) CHECK(all_bytes(copy + i * page, page, 'a'));
    for (size_t i : {1U, 3U}) CHECK(all_bytes(copy + i * page, page, 'z'));
    ::munmap(copy, 5 * page);
  }
}

}  // namespace
