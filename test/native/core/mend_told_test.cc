// Faults that are only told to mend(): those no test can cause, and those it must not
// touch.
#include <signal.h>
#include <sys/mman.h>

#include <cstring>

#include "check.h"
#include "core/mend.h"
#include "core/page.h"
#include "kernel.h"
#include "subject.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::claim_slot;
using memmap::core::FaultKind;
using memmap::core::mend;
using memmap::core::Mended;
using memmap::core::page_size;
using memmap::core::release_slot;
using memmap::core::SlotIndex;
using memmap::sys::Access;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::Refuse;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr Access kRead = Access::kRead;
constexpr Access kWrite = Access::kWrite;

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

Mended tell(const char* address, int signal, int code, Access access, unsigned lsb = 0) {
  return mend({.address = number(address),
               .signal = signal,
               .code = code,
               .lsb = lsb,
               .access = access,
               .fetch = false});
}

TEST("broken memory becomes zeros, as much of it as is lost") {
  const size_t page = page_size();
  for (int flags : {MAP_SHARED, MAP_PRIVATE}) {
    TemporaryFile file(8 * page, 'f');
    Subject subject(8, kReadWrite, flags, file.fd());
    CHECK(tell(subject.at(3) + 5, SIGBUS, BUS_MCEERR_AR, kRead, 12) == Mended::kNow);
    CHECK(subject.counted(FaultKind::kMemoryFailure, 1, 3, 1));
    CHECK(all_bytes(subject.at(3), page, 0));
    CHECK(all_bytes(subject.at(0), 3 * page, 'f') && all_bytes(subject.at(4), page, 'f'));
    CHECK(file.all('f'));
    // A huge page is lost whole, but not what lies beside the mapping.
    CHECK(tell(subject.at(6), SIGBUS, BUS_MCEERR_AR, kWrite, 21) == Mended::kNow);
    CHECK(subject.slot().all == 2);
    CHECK(vma_at(subject.at(6)).inode == 0);
    CHECK(file.all('f'));
  }
}

TEST("a lost block of more than a page ends with the mapping") {
  const size_t page = page_size();
  auto* around =
      static_cast<char*>(::mmap(nullptr, 1026 * page, kReadWrite, kAnonymous, -1, 0));
  around[0] = 'a';
  around[1025 * page] = 'z';
  const SlotIndex slot = claim_slot(number(around + page), 1024 * page, {});
  CHECK(tell(around + page, SIGBUS, BUS_MCEERR_AR, kRead, 30) == Mended::kNow);
  CHECK(around[0] == 'a' && around[1025 * page] == 'z');
  CHECK(memmap::core::fault_slot(slot).all == 1);
  release_slot(slot);
  ::munmap(around, 1026 * page);
}

TEST("faults at memory that is not ours are not mended") {
  const size_t page = page_size();
  void* foreign = ::mmap(nullptr, page, PROT_NONE, kAnonymous, -1, 0);
  const auto* address = static_cast<const char*>(foreign);
  const uint32_t before = memmap::core::process_slot().all;
  CHECK(tell(nullptr, SIGSEGV, SEGV_MAPERR, kRead) == Mended::kNot);
  CHECK(tell(address, SIGSEGV, SEGV_ACCERR, kRead) == Mended::kNot);
  CHECK(tell(address, SIGSEGV, SEGV_ACCERR, kWrite) == Mended::kNot);
  CHECK(tell(address, SIGBUS, BUS_ADRERR, kRead) == Mended::kNot);
  CHECK(tell(address, SIGBUS, BUS_MCEERR_AR, kRead, 12) == Mended::kNot);
  CHECK(std::strcmp(vma_at(foreign).permissions, "---p") == 0);
  CHECK(memmap::core::process_slot().all == before);
  ::munmap(foreign, page);
}

TEST("faults of other kinds at memory of ours are not mended") {
  TemporaryFile file(2 * page_size(), 'f');
  Subject subject(2, PROT_READ, MAP_SHARED, file.fd());
  const char* address = subject.at(0);
  CHECK(tell(address, SIGSEGV, SEGV_MAPERR, kWrite) == Mended::kNot);
  CHECK(tell(address, SIGSEGV, SEGV_PKUERR, kWrite) == Mended::kNot);
  CHECK(tell(address, SIGBUS, BUS_ADRALN, kRead) == Mended::kNot);
  CHECK(tell(address, SIGBUS, BUS_OBJERR, kRead) == Mended::kNot);
  CHECK(mend({.address = number(address),
              .signal = SIGSEGV,
              .code = SEGV_ACCERR,
              .lsb = 0,
              .access = kRead,
              .fetch = true}) == Mended::kNot);
  CHECK(subject.slot().all == 0 && vma_at(address).inode == file.inode());
}

TEST("a fault that another thread has mended meanwhile is tried again, and not counted") {
  const size_t page = page_size();
  Subject subject(2, kReadWrite, kAnonymous);
  CHECK(tell(subject.at(0), SIGBUS, BUS_ADRERR, kRead) == Mended::kAlready);
  CHECK(tell(subject.at(0), SIGSEGV, SEGV_ACCERR, kRead) == Mended::kAlready);
  CHECK(tell(subject.at(0), SIGSEGV, SEGV_ACCERR, kWrite) == Mended::kAlready);
  TemporaryFile file(2 * page, 'f');
  Subject of_file(2, PROT_READ, MAP_SHARED, file.fd());
  // SIGBUS before somebody protected the pages: the access will be a SIGSEGV now.
  CHECK(tell(of_file.at(0), SIGBUS, BUS_ADRERR, kWrite) == Mended::kAlready);
  CHECK(tell(of_file.at(0), SIGSEGV, SEGV_ACCERR, kRead) == Mended::kAlready);
  CHECK(subject.slot().all == 0 && of_file.slot().all == 0);
}

TEST("a page of a file that has grown back is read again, and not counted") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  Subject subject(2, kReadWrite, MAP_SHARED, file.fd());
  CHECK(tell(subject.at(1), SIGBUS, BUS_ADRERR, kRead) == Mended::kAlready);
  CHECK(tell(subject.at(1), SIGBUS, BUS_ADRERR, kWrite) == Mended::kAlready);
  CHECK(subject.slot().all == 0 && vma_at(subject.at(1)).inode == file.inode());
}

TEST(
    "without MADV_POPULATE_WRITE a page that has grown back is tried once more, then "
    "copied") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  Subject subject(2, kReadWrite, MAP_SHARED, file.fd());
  Refuse old_kernel(Call::kMadvise, MADV_POPULATE_WRITE, EINVAL);
  CHECK(tell(subject.at(1), SIGBUS, BUS_ADRERR, kRead) == Mended::kAlready);
  CHECK(tell(subject.at(1), SIGBUS, BUS_ADRERR, kWrite) == Mended::kAlready);
  CHECK(subject.slot().all == 0);
}

TEST("what stands where the engine has unmapped a range of its own is left alone") {
  const size_t page = page_size();
  auto* address = static_cast<char*>(::mmap(nullptr, page, PROT_NONE, kAnonymous, -1, 0));
  const SlotIndex slot = claim_slot(number(address), page, {.of_runtime = true});
  CHECK(tell(address, SIGSEGV, SEGV_ACCERR, kRead) == Mended::kNot);
  CHECK(memmap::core::fault_slot(slot).all == 0);
  CHECK(std::strcmp(vma_at(address).permissions, "---p") == 0);
  // Where protect() has been there, it may be ours.
  memmap::core::expect_protected(slot);
  CHECK(tell(address, SIGSEGV, SEGV_ACCERR, kRead) == Mended::kNow);
  CHECK(address[0] == 0);
  release_slot(slot);
  ::munmap(address, page);
}

}  // namespace
