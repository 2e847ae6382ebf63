// Stray accesses, and what comes back after them: with access, in part, or when something
// fails half-way. All faults are real ones.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "check.h"
#include "core/guard/guard.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "kernel.h"
#include "mappings.h"
#include "subject.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::all_blocks;
using memmap::core::FaultKind;
using memmap::core::page_size;
using memmap::core::PageReplacementLock;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::Refuse;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

uint32_t blocks() {
  const PageReplacementLock lock;
  return all_blocks();
}

TEST("a stray write to private memory changes a block, and its bytes come back") {
  const size_t page = page_size();
  for (int again : {PROT_READ, kReadWrite}) {
    const uint32_t before = blocks();
    Subject subject(64, kReadWrite, kAnonymous);
    std::memset(subject.at(0), 'a', subject.length());
    CHECK(!subject.protect(PROT_READ).failed());
    subject.at(20)[5] = 'w';
    CHECK(subject.counted(FaultKind::kReadOnly, 1, 16, 16) && blocks() == before + 1);
    CHECK(subject.at(20)[5] == 'w' && subject.at(20)[4] == 'a');
    subject.at(31)[0] = 'w';
    CHECK(subject.all() == 1);
    subject.at(32)[0] = 'w';
    CHECK(subject.counted(FaultKind::kReadOnly, 2, 32, 16));
    CHECK(!subject.protect(again).failed());
    CHECK(all_bytes(subject.at(0), 64 * page, 'a'));
    CHECK(!subject.fixed_up() && blocks() == before);
  }
}

TEST(
    "a stray write to a private mapping of a file that was written comes back as it "
    "was") {
  const size_t page = page_size();
  TemporaryFile file(32 * page, 'f');
  Subject subject(32, kReadWrite, MAP_PRIVATE, file.fd());
  subject.at(3)[0] = 'a';
  CHECK(!subject.protect(PROT_READ).failed());
  subject.at(3)[0] = 'w';
  subject.at(4)[0] = 'w';
  CHECK(!subject.protect(kReadWrite).failed());
  CHECK(subject.at(3)[0] == 'a' && subject.at(4)[0] == 'f' && file.all('f'));
  CHECK(vma_at(subject.at(4)).inode == file.inode());
}

TEST("a stray write to memory that never could be written leaves what is behind it") {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  for (int fd : {file.fd(), -1}) {
    Subject subject(4, PROT_READ, fd < 0 ? kAnonymous : MAP_PRIVATE, fd);
    subject.at(2)[0] = 'w';
    CHECK(subject.counted(FaultKind::kReadOnly, 1, 0, 4));
    CHECK(!subject.protect(kReadWrite).failed());
    CHECK(all_bytes(subject.at(0), 4 * page, fd < 0 ? '\0' : 'f'));
    // It can be written now: what it holds is its own from here on.
    std::memset(subject.at(0), 'a', 4 * page);
    CHECK(!subject.protect(PROT_READ).failed());
    subject.at(1)[0] = 'w';
    CHECK(subject.counted(FaultKind::kReadOnly, 2, 0, 4));
    CHECK(!subject.protect(PROT_READ).failed());
    CHECK(all_bytes(subject.at(0), 4 * page, 'a'));
  }
}

TEST("after a stray write to a shared mapping, writes reach the file again") {
  const size_t page = page_size();
  for (const bool path : {true, false}) {
    TemporaryFile file(4 * page, 'f');
    Subject subject(4, kReadWrite, MAP_SHARED, file.fd());
    if (!path) CHECK(::unlink(file.path()) == 0);
    CHECK(!subject.protect(PROT_READ).failed());
    subject.at(2)[0] = 'w';
    subject.at(3)[0] = 'w';
    CHECK(
        subject.counted(FaultKind::kReadOnly, path ? 1 : 2, path ? 0 : 3, path ? 4 : 1));
    CHECK(!subject.protect(kReadWrite).failed());
    CHECK(!subject.fixed_up() && vma_at(subject.at(2)).inode == file.inode());
    CHECK(all_bytes(subject.at(0), 4 * page, 'f') && file.all('f'));
    subject.at(2)[0] = 'x';
    CHECK(file.content()[2 * page] == 'x');
  }
}

TEST("access given to a part brings the bytes back, of the rest as well") {
  const size_t page = page_size();
  Subject subject(8, kReadWrite, kAnonymous);
  std::memset(subject.at(0), 'a', 8 * page);
  CHECK(!subject.protect(PROT_NONE).failed());
  CHECK(subject.at(1)[0] == 0);
  CHECK(!subject.mapping().range()->protect(2 * page, 2 * page, kReadWrite).failed());
  CHECK(all_bytes(subject.at(2), 2 * page, 'a'));
  CHECK(std::strcmp(vma_at(subject.at(1)).permissions, "---p") == 0);
  CHECK(std::strcmp(vma_at(subject.at(4)).permissions, "---p") == 0);
  // A fault beside it leaves the part as it is.
  subject.at(6)[0] = 'w';
  CHECK(subject.counted(FaultKind::kNoAccess, 2, 4, 4));
  CHECK(all_bytes(subject.at(2), 2 * page, 'a'));
  CHECK(!subject.protect(PROT_READ).failed());
  CHECK(all_bytes(subject.at(0), 8 * page, 'a'));
  // Protected alike again, it is one extent again.
  const PageReplacementLock lock;
  const auto* extent = memmap::core::find_extent(memmap::test::number(subject.at(0)));
  CHECK(extent->length() == 8 * page);
}

TEST("what was stashed of pages goes when they are closed, and so do their blocks") {
  const uint32_t before = blocks();
  for (int prot : {PROT_NONE, PROT_READ}) {
    Subject subject(4, kReadWrite, kAnonymous);
    auto holder = subject.mapping().range();
    CHECK(!subject.protect(prot).failed());
    subject.at(1)[0] = 'w';
    const char* stashed = nullptr;
    {
      const PageReplacementLock lock;
      stashed =
          memmap::core::find_extent(memmap::test::number(subject.at(0)))->stash->pages;
    }
    CHECK(vma_at(stashed).mapped());
    CHECK(!holder->vacate(0, subject.length()).failed());
    CHECK(!vma_at(stashed).mapped() && blocks() == before);
  }
}

TEST("access cannot be given to a part that has been closed, nor to any of it then") {
  const size_t page = page_size();
  Subject subject(4, PROT_READ, kAnonymous);
  auto& range = *subject.mapping().range();
  CHECK(!range.vacate(2 * page, page).failed());
  for (int prot : {kReadWrite, PROT_NONE}) {
    CHECK(range.protect(0, 4 * page, prot).value == ENOMEM);
    CHECK(range.protect(2 * page, page, prot).value == ENOMEM);
  }
  CHECK(std::strcmp(vma_at(subject.at(0)).permissions, "r--p") == 0);
  CHECK(memmap::test::closed_at(subject.at(2)));
  CHECK(subject.at(2)[0] == 0);
  CHECK(!range.protect(0, 2 * page, kReadWrite).failed());
}

TEST("protect refuses what leaves the range and what is not at a page") {
  const size_t page = page_size();
  Subject subject(2, kReadWrite, kAnonymous);
  auto& range = *subject.mapping().range();
  CHECK(range.protect(0, 3 * page, PROT_NONE).value == EINVAL);
  CHECK(range.protect(1, page, PROT_NONE).value == EINVAL);
  CHECK(range.protect(2 * page, 1, PROT_NONE).value == EINVAL);
  CHECK(range.protect(0, SIZE_MAX, PROT_NONE).value == EINVAL);
  CHECK(!range.protect(page, 0, PROT_NONE).failed());
  CHECK(std::strcmp(vma_at(subject.at(0)).permissions, "rw-p") == 0);
  CHECK(!range.protect(page, 1, PROT_READ).failed());
  CHECK(std::strcmp(vma_at(subject.at(1)).permissions, "r--p") == 0);
}

TEST("access that cannot be given back yet loses nothing, and comes the next time") {
  const size_t page = page_size();
  Subject subject(48, kReadWrite, MAP_SHARED | MAP_ANONYMOUS);
  std::memset(subject.at(0), 'a', subject.length());
  CHECK(!subject.protect(PROT_NONE).failed());
  // In three parts.
  for (size_t i : {0U, 16U, 32U}) {
    CHECK(!subject.mapping().range()->protect(i * page, 16 * page, PROT_READ).failed());
    subject.at(i + 3)[0] = 'w';
  }
  for (int calls : {0, 1}) {
    Refuse full(Call::kMremap, MREMAP_FIXED, EAGAIN, calls);
    CHECK(::mprotect(subject.at(0), subject.length(), PROT_READ) == 0);
    CHECK(subject.protect(PROT_READ).value == EAGAIN);
  }
  CHECK(!subject.protect(PROT_READ).failed());
  CHECK(all_bytes(subject.at(0), subject.length(), 'a'));
}

TEST("with many blocks in the process a mapping is copied in few") {
  Subject many(1, kReadWrite, kAnonymous);
  Subject subject(1024, kReadWrite, kAnonymous);
  subject.at(300)[1] = 'a';
  CHECK(!subject.protect(PROT_READ).failed());
  const uint32_t before = blocks();
  {
    const PageReplacementLock lock;
    auto* extent = memmap::core::find_extent(memmap::test::number(many.at(0)));
    for (uint32_t i = before; i < 8192; i++) memmap::core::count_block(*extent);
  }
  subject.at(300)[0] = 'w';
  CHECK(subject.counted(FaultKind::kReadOnly, 1, 256, 128));
  CHECK(!subject.protect(PROT_READ).failed());
  CHECK(subject.at(300)[0] == 0 && subject.at(300)[1] == 'a');
  CHECK(!many.mapping().close().failed() && blocks() == before);
}

// As a sandbox does: these calls fail with EPERM from here on. False if it cannot be had.
bool forbid_calls_between_processes() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof filter / sizeof *filter, filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_ALONE(
    "in a sandbox that forbids to read and write processes, nothing is lost either") {
  const size_t page = page_size();
  CHECK(!memmap::core::arm_guard().failed());
  if (!forbid_calls_between_processes()) SKIP("no seccomp filters");
  TemporaryFile file(4 * page, 'f');
  Subject memory(32, kReadWrite, kAnonymous);
  std::memset(memory.at(0), 'a', memory.length());
  CHECK(!memory.protect(PROT_READ).failed());
  memory.at(17)[3] = 'w';
  CHECK(memory.counted(FaultKind::kReadOnly, 1, 16, 16));
  CHECK(memory.at(17)[3] == 'w' && memory.at(17)[4] == 'a' && memory.at(16)[0] == 'a');
  CHECK(!memory.protect(kReadWrite).failed());
  CHECK(all_bytes(memory.at(0), memory.length(), 'a'));
  Subject shared(4, PROT_READ, MAP_SHARED, file.fd());
  CHECK(::unlink(file.path()) == 0);
  shared.at(2)[0] = 'w';
  CHECK(shared.at(2)[1] == 'f' && file.all('f'));
  CHECK(!shared.protect(PROT_READ).failed());
  CHECK(all_bytes(shared.at(0), 4 * page, 'f'));
}

TEST("pages of MADV_GUARD_INSTALL read zeros, and are guards again with access") {
  constexpr int kGuardInstall = 102;
  const size_t page = page_size();
  Subject subject(4, kReadWrite, kAnonymous);
  std::memset(subject.at(0), 'a', 4 * page);
  if (::madvise(subject.at(1), page, kGuardInstall) != 0) {
    SKIP("MADV_GUARD_INSTALL needs Linux 6.13");
  }
  CHECK(all_bytes(subject.at(1), page, 0));
  CHECK(subject.counted(FaultKind::kNoAccess, 1, 1, 1));
  subject.at(1)[0] = 'w';
  CHECK(subject.all() == 1);
  CHECK(all_bytes(subject.at(0), page, 'a') && all_bytes(subject.at(2), 2 * page, 'a'));
  CHECK(!subject.protect(kReadWrite).failed());
  CHECK(subject.at(1)[0] == 0 && subject.all() == 2);
}

TEST("memory that may only be run can be read, or reads zeros") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  for (int flags : {MAP_PRIVATE, MAP_SHARED}) {
    Subject subject(2, PROT_EXEC, flags, file.fd());
    // Without protection keys the processor lets it be read.
    const char byte = *static_cast<volatile char*>(subject.at(1));
    CHECK(byte == 'f' || byte == 0);
    CHECK(subject.all() == 0 || subject.counted(FaultKind::kNoAccess, 1, 0, 2));
    CHECK(vma_at(subject.at(1)).permissions[2] == 'x');
    *static_cast<volatile char*>(subject.at(0)) = 'w';
    CHECK(file.all('f'));
  }
}

}  // namespace
