// What stands at an address after a fault. All faults are real ones.
#include "core/guard/fault_fixup.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/spare_mappings.h"
#include "kernel.h"
#include "mappings.h"
#include "subject.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::FaultKind;
using memmap::core::page_size;
using memmap::core::PageReplacementLock;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::Refuse;
using memmap::test::SmallDisk;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

// Cuts the file inside its third page.
bool cut(const TemporaryFile& file) {
  return ::ftruncate(file.fd(), static_cast<off_t>(2 * page_size() + 100)) == 0;
}

TEST("a read past the end of a file replaces the whole lost end by zeros, once") {
  const size_t page = page_size();
  for (int flags : {MAP_SHARED, MAP_PRIVATE}) {
    TemporaryFile file(8 * page, 'f');
    Subject subject(8, PROT_READ, flags, file.fd());
    CHECK(subject.at(7)[0] == 'f');
    CHECK(cut(file));
    CHECK(subject.at(5)[7] == 0);
    CHECK(subject.counted(FaultKind::kTruncated, 1, 3, 5));
    CHECK(subject.lost_from() == 3 * page);
    CHECK(all_bytes(subject.at(0), 2 * page + 100, 'f'));
    CHECK(all_bytes(subject.at(2) + 100, 6 * page - 100, 0));
    CHECK(vma_at(subject.at(2)).inode == file.inode());
    CHECK(vma_at(subject.at(3)).inode == 0);
    CHECK(subject.all() == 1);
  }
}

TEST("a write past the end of a file is lost, and the file keeps its size") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  Subject subject(8, kReadWrite, MAP_SHARED, file.fd());
  CHECK(cut(file));
  for (size_t i = 7; i >= 3; i--) subject.at(i)[9] = 'w';
  CHECK(subject.counted(FaultKind::kTruncated, 1, 3, 5));
  CHECK(subject.at(7)[9] == 'w' && subject.at(7)[8] == 0);
  subject.at(0)[0] = 'w';
  CHECK(file.size() == 2 * page + 100 && file.content()[0] == 'w');
}

TEST("what may only be written or run past the end of a file reads zeros") {
  const size_t page = page_size();
  for (int flags : {MAP_SHARED, MAP_PRIVATE}) {
    for (int prot : {PROT_WRITE, PROT_EXEC}) {
      TemporaryFile file(4 * page, 'f');
      Subject subject(4, PROT_READ, flags, file.fd());
      CHECK(!subject.protect(prot).failed());
      CHECK(::ftruncate(file.fd(), static_cast<off_t>(page)) == 0);
      CHECK(subject.at(3)[0] == 0 && subject.at(1)[0] == 0);
      CHECK(subject.counts().counts[static_cast<size_t>(FaultKind::kTruncated)] == 1);
      CHECK(subject.lost_from() == page);
    }
  }
}

TEST("the lost end of a file that no path leads to is found by trying its pages") {
  const size_t page = page_size();
  for (size_t kept : {0U, 1U, 5U, 6U}) {
    TemporaryFile file(8 * page, 'f');
    Subject subject(8, PROT_READ, MAP_SHARED, file.fd());
    CHECK(::unlink(file.path()) == 0);
    CHECK(::ftruncate(file.fd(), static_cast<off_t>(kept * page)) == 0);
    CHECK(subject.at(6)[0] == 0);
    CHECK(subject.counted(FaultKind::kTruncated, 1, kept, 8 - kept));
    CHECK(all_bytes(subject.at(0), kept * page, 'f'));
  }
}

TEST("the size of another file in the place of the mapped one does not count") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  TemporaryFile larger(8 * page, 'l');
  Subject subject(8, PROT_READ, MAP_SHARED, file.fd());
  CHECK(::rename(larger.path(), file.path()) == 0);
  CHECK(cut(file));
  CHECK(subject.at(4)[0] == 0);
  CHECK(subject.counted(FaultKind::kTruncated, 1, 3, 5));
}

TEST("the descriptor that a mapping keeps tells the size of a file without a path") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  Subject subject(8, PROT_READ, MAP_SHARED, file.fd());
  subject.mapping().keep(memmap::sys::UniqueFd(::dup(file.fd())));
  CHECK(::unlink(file.path()) == 0);
  CHECK(cut(file));
  CHECK(subject.at(7)[0] == 0);
  CHECK(subject.counted(FaultKind::kTruncated, 1, 3, 5));
}

TEST("where no more writable memory is to be had the lost end reads zeros all the same") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  Subject subject(8, kReadWrite, MAP_SHARED, file.fd());
  CHECK(cut(file));
  Refuse strict(Call::kMmap, MAP_FIXED, ENOMEM, 0, 1);
  CHECK(subject.at(7)[0] == 0);
  CHECK(strict.refused() == 1);
  CHECK(std::strcmp(vma_at(subject.at(7)).permissions, "r--p") == 0);
  CHECK(subject.counted(FaultKind::kTruncated, 1, 3, 5));
}

TEST("at the limit of mappings the whole mapping becomes zeros") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  Subject subject(8, kReadWrite, MAP_SHARED, file.fd());
  CHECK(cut(file));
  {
    const PageReplacementLock lock;
    while (memmap::core::give_up_spares()) {
    }
  }
  Refuse full(Call::kMmap, MAP_FIXED, ENOMEM, 0, 3);
  CHECK(subject.at(7)[0] == 0);
  CHECK(full.refused() == 3);
  CHECK(subject.lost_from() == 0);
  CHECK(all_bytes(subject.at(0), 8 * page, 0));
}

TEST(
    "a write to a private read-only mapping makes all of it writable, and the file never "
    "sees it") {
  const size_t page = page_size();
  TemporaryFile file(64 * page, 'f');
  Subject subject(64, PROT_READ, MAP_PRIVATE, file.fd());
  for (size_t i : {2U, 0U, 63U}) subject.at(i)[1] = 'w';
  CHECK(subject.counted(FaultKind::kReadOnly, 1, 0, 64));
  CHECK(subject.at(2)[0] == 'f' && subject.at(2)[1] == 'w');
  CHECK(std::strcmp(vma_at(subject.at(1)).permissions, "rw-p") == 0);
  CHECK(vma_at(subject.at(1)).inode == file.inode());
  CHECK(file.all('f'));
}

TEST("a write to a shared read-only mapping goes to a private mapping of the same file") {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  Subject subject(4, PROT_READ, MAP_SHARED, file.fd());
  subject.at(3)[1] = 'w';
  subject.at(0)[1] = 'w';
  CHECK(subject.counted(FaultKind::kReadOnly, 1, 0, 4));
  CHECK(subject.at(3)[0] == 'f' && subject.at(3)[1] == 'w');
  CHECK(std::strcmp(vma_at(subject.at(1)).permissions, "rw-p") == 0);
  CHECK(vma_at(subject.at(1)).inode == file.inode());
  CHECK(file.all('f'));
}

TEST(
    "a write to a shared read-only mapping of a file without a path goes to a copy of "
    "the page") {
  const size_t page = page_size();
  for (int calls : {0, INT_MAX}) {
    TemporaryFile file(4 * page, 'f');
    Subject subject(4, PROT_READ, MAP_SHARED, file.fd());
    CHECK(::unlink(file.path()) == 0);
    // A sandbox may forbid it.
    Refuse forbidden(Call::kProcessVmReadv, 0, EPERM, 0, calls);
    subject.at(2)[1] = 'w';
    CHECK(subject.counted(FaultKind::kReadOnly, 1, 2, 1));
    CHECK(all_bytes(subject.at(2) + 2, page - 2, 'f') && subject.at(2)[1] == 'w');
    CHECK(vma_at(subject.at(2)).inode == 0);
    CHECK(vma_at(subject.at(1)).inode == file.inode());
    CHECK(file.all('f'));
  }
}

TEST("a read without access gives zeros, and the bytes come back with access") {
  const size_t page = page_size();
  Subject subject(4, kReadWrite, kAnonymous);
  std::memset(subject.at(0), 'a', 4 * page);
  CHECK(!subject.protect(PROT_NONE).failed());
  CHECK(all_bytes(subject.at(0), 4 * page, 0));
  subject.at(1)[0] = 'w';
  CHECK(subject.counted(FaultKind::kNoAccess, 1, 0, 4));
  CHECK(!subject.protect(kReadWrite).failed());
  CHECK(all_bytes(subject.at(0), 4 * page, 'a'));
}

TEST(
    "without access and without MREMAP_DONTUNMAP, memory keeps its bytes and a file is "
    "spared") {
  const size_t page = page_size();
  Refuse old_kernel(Call::kMremap, MREMAP_DONTUNMAP, EINVAL);
  Subject memory(2, kReadWrite, kAnonymous);
  std::memset(memory.at(0), 'a', 2 * page);
  CHECK(!memory.protect(PROT_NONE).failed());
  CHECK(memory.at(1)[0] == 'a');
  CHECK(memory.counted(FaultKind::kNoAccess, 1, 0, 2));
  TemporaryFile file(2 * page, 'f');
  Subject shared(2, kReadWrite, MAP_SHARED, file.fd());
  CHECK(!shared.protect(PROT_NONE).failed());
  CHECK(shared.at(0)[0] == 0);
  shared.at(1)[0] = 'w';
  CHECK(shared.counted(FaultKind::kNoAccess, 1, 0, 2));
  CHECK(file.all('f'));
}

TEST(
    "on a full disk a hole becomes a private copy of its block, and the rest stays the "
    "file") {
  const size_t page = page_size();
  SmallDisk disk;
  if (!disk.mounted()) SKIP("mounting a file system needs root");
  // More than 4,096 pages: blocks of two.
  constexpr size_t kPages = 8192;
  TemporaryFile file(0, 0, disk.path());
  CHECK(::ftruncate(file.fd(), static_cast<off_t>(kPages * page)) == 0);
  CHECK(::pwrite(file.fd(), "data", 4, static_cast<off_t>(11 * page)) == 4);
  TemporaryFile filler(0, 0, disk.path());
  const std::string bytes(page, 'x');
  while (::write(filler.fd(), bytes.data(), page) == static_cast<ssize_t>(page)) {
  }
  Subject subject(kPages, kReadWrite, MAP_SHARED, file.fd());
  subject.at(10)[0] = 'w';
  CHECK(subject.counted(FaultKind::kNoSpace, 1, 10, 2));
  CHECK(subject.at(10)[0] == 'w' && std::memcmp(subject.at(11), "data", 4) == 0);
  CHECK(vma_at(subject.at(11)).inode == 0);
  CHECK(vma_at(subject.at(9)).inode == file.inode());
  CHECK(vma_at(subject.at(12)).inode == file.inode());
  CHECK(subject.at(200)[0] == 0);
  CHECK(subject.counted(FaultKind::kNoSpace, 2, 200, 2));
  char byte = 'x';
  CHECK(::pread(file.fd(), &byte, 1, static_cast<off_t>(10 * page)) == 1 && byte == 0);
  CHECK(file.size() == kPages * page);
  // The file has no page to put back there.
  for (int prot : {PROT_NONE, kReadWrite}) CHECK(!subject.protect(prot).failed());
  CHECK(subject.fixed_up() && subject.at(10)[0] == 'w');
  CHECK(!subject.protect(PROT_READ).failed());
  subject.at(11)[4] = 'w';
  CHECK(!subject.protect(kReadWrite).failed());
  CHECK(subject.fixed_up() && subject.at(11)[4] == 0);
}

TEST("threads that meet the same lost end all read zeros, and it is counted once") {
  const size_t page = page_size();
  for (int round = 0; round < 20; round++) {
    TemporaryFile file(64 * page, 'f');
    Subject subject(64, PROT_READ, MAP_SHARED, file.fd());
    CHECK(cut(file));
    std::atomic<int> ready = 0;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (size_t i = 0; i < 4; i++) {
      threads.emplace_back([&, i] {
        ready++;
        while (ready < 4) {
        }
        if (*static_cast<volatile char*>(subject.at(60 - i * 16)) != 0) wrong++;
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(subject.counted(FaultKind::kTruncated, 1, 3, 61));
  }
}

TEST("a fault waits while another thread replaces pages of the mapping") {
  TemporaryFile file(2 * page_size(), 'f');
  Subject subject(2, PROT_READ, MAP_SHARED, file.fd());
  CHECK(::ftruncate(file.fd(), 0) == 0);
  std::atomic<bool> begun = false;
  std::atomic<bool> done = false;
  std::thread other;
  {
    const PageReplacementLock lock;
    other = std::thread([&] {
      begun = true;
      done = *static_cast<volatile char*>(subject.at(0)) == 0;
    });
    while (!begun) std::this_thread::yield();
    for (int i = 0; i < 20'000; i++) std::this_thread::yield();
    if (done || subject.all() != 0) memmap::test::fail(__FILE__, __LINE__, "waits");
  }
  other.join();
  CHECK(done && subject.counted(FaultKind::kTruncated, 1, 0, 2));
}

}  // namespace
