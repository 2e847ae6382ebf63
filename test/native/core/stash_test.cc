#include "core/stash.h"

#include <sys/mman.h>

#include <cstring>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::claim_slot;
using memmap::core::drop_stash;
using memmap::core::fault_slot;
using memmap::core::page_size;
using memmap::core::put_aside;
using memmap::core::release_slot;
using memmap::core::SlotIndex;
using memmap::core::take_back;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

// Pages, a slot for them, and no access, as protect('none') leaves them.
class Hidden {
 public:
  Hidden(size_t pages, char letter, int fd = -1, int flags = kAnonymous)
      : length_(pages * page_size()) {
    void* mapped = ::mmap(nullptr, length_, kReadWrite, flags, fd, 0);
    address_ = static_cast<char*>(mapped);
    if (letter != 0) std::memset(address_, letter, length_);
    slot_ = claim_slot(number(address_), length_, {});
    hide();
  }
  ~Hidden() {
    drop_stash(slot_);
    release_slot(slot_);
    ::munmap(address_, length_);
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

  void hide() { ::mprotect(address_, length_, PROT_NONE); }
  // What core/mend puts in the place of pages put aside.
  void cover() {
    static_cast<void>(
        ::mmap(address_, length_, kReadWrite, kAnonymous | MAP_FIXED, -1, 0));
  }
  // Where the pages are that were put aside last, or null.
  const char* aside() const {
    const uintptr_t stash = fault_slot(slot_).stash;
    return stash == 0 ? nullptr : reinterpret_cast<const char*>(stash) + page_size();
  }

  char* address() const { return address_; }
  size_t length() const { return length_; }
  SlotIndex slot() const { return slot_; }

 private:
  size_t length_;
  char* address_;
  SlotIndex slot_;
};

TEST("pages put aside come back with their contents and the access asked for") {
  for (int prot : {PROT_READ, kReadWrite}) {
    Hidden pages(3, 'a');
    CHECK(put_aside(pages.slot(), number(pages.address()), pages.length()));
    CHECK(vma_at(pages.address()).mapped());  // no hole for others to map into
    pages.cover();
    CHECK(all_bytes(pages.address(), pages.length(), 0));
    const char* aside = pages.aside();
    CHECK(aside != nullptr && vma_at(aside).mapped());
    CHECK(!take_back(pages.slot(), pages.address(), pages.length(), prot).failed());
    CHECK(all_bytes(pages.address(), pages.length(), 'a'));
    CHECK((vma_at(pages.address()).permissions[1] == 'w') == (prot == kReadWrite));
    CHECK(pages.aside() == nullptr);
    CHECK(!vma_at(aside - page_size()).mapped() && !vma_at(aside).mapped());
  }
}

TEST("pages of a file put aside come back as pages of the file") {
  TemporaryFile file(2 * page_size(), 'f');
  Hidden pages(2, 0, file.fd(), MAP_SHARED);
  if (!put_aside(pages.slot(), number(pages.address()), pages.length())) {
    SKIP("files cannot be put aside before Linux 5.13");
  }
  pages.cover();
  pages.address()[0] = 'x';
  CHECK(vma_at(pages.aside()).inode == file.inode());
  CHECK(!take_back(pages.slot(), pages.address(), pages.length(), kReadWrite).failed());
  CHECK(vma_at(pages.address()).inode == file.inode());
  CHECK(all_bytes(pages.address(), pages.length(), 'f'));
  pages.address()[0] = 'w';
  CHECK(file.content()[0] == 'w');
}

TEST("parts put aside one after the other come back to where they were") {
  const size_t page = page_size();
  Hidden pages(4, 'a');
  CHECK(::mprotect(pages.address(), pages.length(), kReadWrite) == 0);
  for (size_t i = 0; i < 4; i++) pages.address()[i * page] = static_cast<char>('0' + i);
  pages.hide();
  CHECK(put_aside(pages.slot(), number(pages.address()) + 2 * page, page));
  CHECK(put_aside(pages.slot(), number(pages.address()), page));
  CHECK(!take_back(pages.slot(), pages.address(), pages.length(), kReadWrite).failed());
  for (size_t i = 0; i < 4; i++) {
    CHECK(pages.address()[i * page] == static_cast<char>('0' + i));
    CHECK(all_bytes(pages.address() + i * page + 1, page - 1, 'a'));
  }
}

TEST("take_back without anything put aside only gives access") {
  Hidden pages(1, 'a');
  CHECK(!take_back(pages.slot(), pages.address(), pages.length(), PROT_READ).failed());
  CHECK(all_bytes(pages.address(), pages.length(), 'a'));
}

TEST("drop_stash frees what was put aside, all of it, and leaves the addresses alone") {
  const size_t page = page_size();
  Hidden pages(4, 'a');
  CHECK(put_aside(pages.slot(), number(pages.address()), page));
  const char* first = pages.aside();
  CHECK(put_aside(pages.slot(), number(pages.address()) + page, 3 * page));
  const char* second = pages.aside();
  CHECK(vma_at(first).mapped() && vma_at(second).mapped());
  drop_stash(pages.slot());
  CHECK(!vma_at(first).mapped() && !vma_at(first - page).mapped());
  CHECK(!vma_at(second).mapped() && !vma_at(second - page).mapped());
  CHECK(!vma_at(second + 2 * page).mapped());
  CHECK(vma_at(pages.address()).mapped() && pages.aside() == nullptr);
  drop_stash(pages.slot());
  CHECK(!take_back(pages.slot(), pages.address(), pages.length(), PROT_READ).failed());
  CHECK(all_bytes(pages.address(), pages.length(), 0));
}

TEST("put_aside that the kernel refuses changes nothing and keeps nothing") {
  Hidden pages(2, 'a');
  {
    Refuse old_kernel(Call::kMremap, MREMAP_DONTUNMAP, EINVAL);
    CHECK(!put_aside(pages.slot(), number(pages.address()), pages.length()));
    CHECK(old_kernel.refused() == 1);
  }
  {
    Refuse full(Call::kMmap, MAP_ANONYMOUS, ENOMEM);
    CHECK(!put_aside(pages.slot(), number(pages.address()), pages.length()));
  }
  CHECK(pages.aside() == nullptr);
  CHECK(!take_back(pages.slot(), pages.address(), pages.length(), PROT_READ).failed());
  CHECK(all_bytes(pages.address(), pages.length(), 'a'));
}

}  // namespace
