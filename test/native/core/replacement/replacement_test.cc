#include "core/replacement/replacement.h"

#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "check.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/spare_mappings.h"
#include "kernel.h"
#include "mappings.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::first_unreadable;
using memmap::core::page_size;
using memmap::core::PageReplacementLock;
using memmap::core::replace_by_copy;
using memmap::core::replace_by_file;
using memmap::core::replace_by_mapping;
using memmap::core::replace_by_zeros;
using memmap::core::Span;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::kReadWrite;
using memmap::test::load;
using memmap::test::map_foreign;
using memmap::test::number;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

// Pages of 'a', of which the tests replace those in the middle.
class Pages {
 public:
  explicit Pages(size_t count) : count_(count), address_(map_foreign(count)) {
    std::memset(address_, 'a', count * page_size());
  }
  ~Pages() { ::munmap(address_, count_ * page_size()); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  char* at(size_t page) const { return address_ + page * page_size(); }
  Span span(size_t first, size_t count) const {
    return {number(at(first)), number(at(first + count))};
  }
  bool all(size_t first, size_t count, char byte) const {
    return all_bytes(at(first), count * page_size(), byte);
  }
  const char* permissions(size_t page) {
    vma_ = vma_at(at(page));
    return vma_.permissions;
  }

 private:
  const PageReplacementLock lock_;
  size_t count_;
  char* address_;
  memmap::test::Vma vma_;
};

// Whether the file, from `offset` on, has come there, privately.
bool shows(Span span, const TemporaryFile& file, size_t offset = 0) {
  return !replace_by_file(span, kReadWrite, MAP_PRIVATE, file.fd(),
                          static_cast<int64_t>(offset))
              .failed();
}

TEST("pages become zeros that can be written, and those beside them stay") {
  Pages pages(4);
  CHECK(replace_by_zeros(pages.span(1, 2)));
  CHECK(pages.all(0, 1, 'a') && pages.all(1, 2, 0) && pages.all(3, 1, 'a'));
  CHECK(std::strcmp(pages.permissions(1), "rw-p") == 0);
}

TEST("where no writable memory is to be had, they become zeros that can be read") {
  Pages pages(3);
  {
    Refuse strict(Call::kMmap, MAP_FIXED, ENOMEM, 0, 1);
    CHECK(replace_by_zeros(pages.span(1, 1)) && strict.refused() == 1);
  }
  CHECK(std::strcmp(pages.permissions(1), "r--p") == 0 && pages.all(1, 1, 0));
}

TEST("at the limit of mappings a spare is given up for zeros, a copy and a file") {
  TemporaryFile file(page_size(), 'f');
  Pages pages(4);
  memmap::core::fill_spares();
  {
    Refuse full(Call::kMmap, MAP_FIXED, ENOMEM, 0, 3);
    CHECK(replace_by_zeros(pages.span(0, 1)) && full.refused() == 3);
  }
  {
    Refuse full(Call::kMremap, MREMAP_FIXED, ENOMEM, 0, 1);
    CHECK(replace_by_copy(pages.span(1, 1), page_size()) && full.refused() == 1);
  }
  {
    Refuse full(Call::kMremap, MREMAP_FIXED, ENOMEM, 0, 1);
    CHECK(shows(pages.span(2, 1), file) && full.refused() == 1);
  }
  CHECK(pages.all(0, 1, 0) && pages.all(1, 1, 'a') && pages.all(2, 1, 'f'));
  for (size_t i : {0U, 1U, 2U}) CHECK(std::strcmp(pages.permissions(i), "rw-p") == 0);
}

TEST("what fails replaces nothing and keeps nothing") {
  TemporaryFile file(page_size(), 'f');
  Pages pages(3);
  {
    Refuse sealed(Call::kMmap, MAP_FIXED, EPERM);
    CHECK(!replace_by_zeros(pages.span(1, 1)));
  }
  {
    Refuse full(Call::kMmap, 0, EPERM);
    CHECK(!shows(pages.span(1, 1), file));
    CHECK(!replace_by_copy(pages.span(1, 1), page_size()));
  }
  const size_t before = memmap::test::count_mappings();
  {
    Refuse sealed(Call::kMremap, MREMAP_FIXED, EPERM);
    CHECK(!replace_by_copy(pages.span(1, 1), page_size()));
  }
  CHECK(memmap::test::count_mappings() == before);
  CHECK(pages.all(0, 3, 'a'));
}

TEST(
    "a mapping that the kernel refuses late leaves no hole, and one refused at once "
    "nothing") {
  TemporaryFile file(page_size(), 'f');
  for (const bool late : {true, false}) {
    Pages pages(3);
    bool emptied = !late;
    {
      Refuse no(Call::kMmap, MAP_PRIVATE | MAP_FIXED, late ? EFAULT : EPERM, 0, 1);
      CHECK(!replace_by_mapping(pages.span(1, 1), kReadWrite, MAP_PRIVATE, file.fd(), 0,
                                emptied));
    }
    CHECK(emptied == late);
    CHECK(std::strcmp(pages.permissions(1), late ? "---p" : "rw-p") == 0);
    CHECK(pages.all(0, 1, 'a') && pages.all(2, 1, 'a'));
    CHECK(late || pages.all(1, 1, 'a'));
  }
}

TEST("a copy is private, and zeros where it cannot be read") {
  const size_t page = page_size();
  TemporaryFile file(5 * page, 'f');
  for (int calls : {0, INT_MAX}) {
    Pages pages(5);
    CHECK(::mmap(pages.at(0), 5 * page, kReadWrite, MAP_SHARED | MAP_FIXED, file.fd(),
                 0) != MAP_FAILED);
    CHECK(::ftruncate(file.fd(), static_cast<off_t>(4 * page)) == 0);
    CHECK(::mprotect(pages.at(2), page, PROT_NONE) == 0);
    // A sandbox may forbid to read by process_vm_readv.
    Refuse forbidden(Call::kProcessVmReadv, 0, EPERM, 0, calls);
    CHECK(replace_by_copy(pages.span(1, 4), page));
    CHECK(pages.all(0, 1, 'f') && pages.all(1, 1, 'f') && pages.all(2, 1, 0));
    CHECK(pages.all(3, 1, 'f') && pages.all(4, 1, 0));
    CHECK(vma_at(pages.at(0)).inode == file.inode() && vma_at(pages.at(1)).inode == 0);
    pages.at(1)[0] = 'w';
    CHECK(file.all('f'));
    CHECK(::ftruncate(file.fd(), static_cast<off_t>(5 * page)) == 0);
    const std::string bytes(page, 'f');
    CHECK(::pwrite(file.fd(), bytes.data(), page, static_cast<off_t>(4 * page)) > 0);
  }
}

TEST(
    "a private mapping of the file shows it from the offset on, and keeps what is "
    "written") {
  const size_t page = page_size();
  TemporaryFile file(3 * page, 'f');
  CHECK(::pwrite(file.fd(), "x", 1, static_cast<off_t>(2 * page)) == 1);
  Pages pages(3);
  CHECK(shows(pages.span(1, 1), file, 2 * page));
  CHECK(pages.at(1)[0] == 'x' && pages.at(1)[1] == 'f');
  pages.at(1)[1] = 'w';
  CHECK(file.content()[2 * page + 1] == 'f');
  CHECK(pages.all(0, 1, 'a') && pages.all(2, 1, 'a'));
}

TEST("the unreadable end is found wherever it begins") {
  const size_t page = page_size();
  for (size_t readable = 0; readable <= 9; readable++) {
    Pages pages(9);
    CHECK(readable == 9 ||
          ::mprotect(pages.at(readable), (9 - readable) * page, PROT_NONE) == 0);
    CHECK(first_unreadable(pages.span(0, 9), page) == number(pages.at(readable)));
  }
}

TEST("threads that read pages while they are replaced find no hole") {
  Pages pages(3);
  std::atomic<bool> over = false;
  std::atomic<int> wrong = 0;
  std::thread reader([&] {
    while (!over) {
      const char byte = load(pages.at(1));
      if (byte != 'a' && byte != 0) wrong++;
    }
  });
  for (int i = 0; i < 2000; i++) {
    if (!replace_by_zeros(pages.span(1, 1))) wrong++;
    if (!replace_by_copy(pages.span(1, 1), page_size())) wrong++;
  }
  over = true;
  reader.join();
  CHECK(wrong == 0);
}

}  // namespace
