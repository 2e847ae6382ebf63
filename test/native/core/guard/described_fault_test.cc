// Faults that are only described to fix_up(): those no test can cause, and those it must
// not touch.
#include <signal.h>
#include <sys/mman.h>

#include <cstring>

#include "check.h"
#include "core/guard/fault_fixup.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "subject.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::FaultKind;
using memmap::core::fix_up;
using memmap::core::Fixup;
using memmap::core::page_size;
using memmap::sys::Access;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::counts_at;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::map_foreign;
using memmap::test::Meanwhile;
using memmap::test::note;
using memmap::test::number;
using memmap::test::Owner;
using memmap::test::Refuse;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

constexpr Access kRead = Access::kRead;
constexpr Access kWrite = Access::kWrite;

Fixup tell(const char* address, int signal, int code, Access access, unsigned lsb = 0) {
  return fix_up({.address = number(address),
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
    CHECK(tell(subject.at(3) + 5, SIGBUS, BUS_MCEERR_AR, kRead, 12) == Fixup::kNow);
    CHECK(subject.counted(FaultKind::kMemoryFailure, 1, 3, 1));
    CHECK(all_bytes(subject.at(3), page, 0));
    CHECK(all_bytes(subject.at(0), 3 * page, 'f') && all_bytes(subject.at(4), page, 'f'));
    CHECK(file.all('f'));
    // A huge page is lost whole, but not what lies beside the mapping.
    CHECK(tell(subject.at(6), SIGBUS, BUS_MCEERR_AR, kWrite, 21) == Fixup::kNow);
    CHECK(subject.all() == 2);
    CHECK(vma_at(subject.at(6)).inode == 0);
    CHECK(file.all('f'));
  }
}

TEST("a lost block of more than a page ends with the mapping") {
  const size_t page = page_size();
  char* around = map_foreign(1026);
  around[0] = 'a';
  around[1025 * page] = 'z';
  auto range = note(around + page, 1024, kReadWrite, kAnonymous);
  CHECK(tell(around + page, SIGBUS, BUS_MCEERR_AR, kRead, 30) == Fixup::kNow);
  CHECK(around[0] == 'a' && around[1025 * page] == 'z');
  CHECK(counts_at(around + page)->all == 1);
  range.reset();
  ::munmap(around, page);
  ::munmap(around + 1025 * page, page);
}

TEST("faults at memory that is not ours are not fixed up") {
  const size_t page = page_size();
  void* foreign = ::mmap(nullptr, page, PROT_NONE, kAnonymous, -1, 0);
  const auto* address = static_cast<const char*>(foreign);
  const uint32_t before = memmap::core::process_counts().all;
  CHECK(tell(nullptr, SIGSEGV, SEGV_MAPERR, kRead) == Fixup::kNot);
  CHECK(tell(address, SIGSEGV, SEGV_ACCERR, kRead) == Fixup::kNot);
  CHECK(tell(address, SIGSEGV, SEGV_ACCERR, kWrite) == Fixup::kNot);
  CHECK(tell(address, SIGBUS, BUS_ADRERR, kRead) == Fixup::kNot);
  CHECK(tell(address, SIGBUS, BUS_MCEERR_AR, kRead, 12) == Fixup::kNot);
  CHECK(std::strcmp(vma_at(foreign).permissions, "---p") == 0);
  CHECK(memmap::core::process_counts().all == before);
  ::munmap(foreign, page);
}

TEST("faults of other kinds at memory of ours are not fixed up") {
  TemporaryFile file(2 * page_size(), 'f');
  Subject subject(2, PROT_READ, MAP_SHARED, file.fd());
  const char* address = subject.at(0);
  CHECK(tell(address, SIGSEGV, SEGV_MAPERR, kWrite) == Fixup::kNot);
  CHECK(tell(address, SIGBUS, BUS_ADRALN, kRead) == Fixup::kNot);
  CHECK(tell(address, SIGBUS, BUS_OBJERR, kRead) == Fixup::kNot);
  CHECK(fix_up({.address = number(address),
                .signal = SIGSEGV,
                .code = SEGV_ACCERR,
                .lsb = 0,
                .access = kRead,
                .fetch = true}) == Fixup::kNot);
  CHECK(subject.all() == 0 && vma_at(address).inode == file.inode());
}

TEST(
    "a fault that another thread has fixed up meanwhile is tried again, and not "
    "counted") {
  const size_t page = page_size();
  Subject subject(2, kReadWrite, kAnonymous);
  CHECK(tell(subject.at(0), SIGBUS, BUS_ADRERR, kRead) == Fixup::kAlready);
  CHECK(tell(subject.at(0), SIGSEGV, SEGV_ACCERR, kRead) == Fixup::kAlready);
  CHECK(tell(subject.at(0), SIGSEGV, SEGV_ACCERR, kWrite) == Fixup::kAlready);
  TemporaryFile file(2 * page, 'f');
  Subject of_file(2, PROT_READ, MAP_SHARED, file.fd());
  // SIGBUS before somebody protected the pages: the access will be a SIGSEGV now.
  CHECK(tell(of_file.at(0), SIGBUS, BUS_ADRERR, kWrite) == Fixup::kAlready);
  CHECK(tell(of_file.at(0), SIGSEGV, SEGV_ACCERR, kRead) == Fixup::kAlready);
  CHECK(subject.all() == 0 && of_file.all() == 0);
}

TEST("a page of a file that has grown back is read again, and not counted") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  Subject subject(2, kReadWrite, MAP_SHARED, file.fd());
  CHECK(tell(subject.at(1), SIGBUS, BUS_ADRERR, kRead) == Fixup::kAlready);
  CHECK(tell(subject.at(1), SIGBUS, BUS_ADRERR, kWrite) == Fixup::kAlready);
  CHECK(subject.all() == 0 && vma_at(subject.at(1)).inode == file.inode());
}

TEST(
    "without MADV_POPULATE_WRITE a page that has grown back is tried once more, then "
    "copied") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  Subject subject(2, kReadWrite, MAP_SHARED, file.fd());
  Refuse old_kernel(Call::kMadvise, MADV_POPULATE_WRITE, EINVAL);
  CHECK(tell(subject.at(1), SIGBUS, BUS_ADRERR, kRead) == Fixup::kAlready);
  CHECK(tell(subject.at(1), SIGBUS, BUS_ADRERR, kWrite) == Fixup::kAlready);
  CHECK(subject.all() == 0);
}

TEST("a file without a descriptor that shrinks in the midst of a look has room") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  Subject subject(2, kReadWrite, MAP_SHARED, file.fd());
  Refuse full(Call::kOpen, 0, EMFILE);
  // The first look is at the end of the file, which is there; not any more at the next.
  Meanwhile shrinks(Call::kSigprocmask, 0, [&] { ::ftruncate(file.fd(), 0); });
  CHECK(tell(subject.at(0), SIGBUS, BUS_ADRERR, kRead) == Fixup::kAlready);
  CHECK(full.refused() == 1 && shrinks.happened() && subject.all() == 0);
  // The access, tried again, meets a file that has shrunk.
  CHECK(tell(subject.at(0), SIGBUS, BUS_ADRERR, kRead) == Fixup::kNow);
  CHECK(subject.counted(FaultKind::kTruncated, 1, 0, 2));
}

TEST("what stands where the engine has unmapped a range of its own is left alone") {
  const size_t page = page_size();
  char* address = map_foreign(1, PROT_NONE);
  auto range = note(address, 1, PROT_READ, kAnonymous, -1, Owner::kRuntime);
  const auto counts = counts_at(address);
  CHECK(tell(address, SIGSEGV, SEGV_ACCERR, kRead) == Fixup::kNot);
  CHECK(counts->all == 0 && std::strcmp(vma_at(address).permissions, "---p") == 0);
  // What protect() has been given is ours.
  CHECK(!range->protect(0, page, PROT_NONE).failed());
  CHECK(tell(address, SIGSEGV, SEGV_ACCERR, kRead) == Fixup::kNow);
  CHECK(counts->all == 1 && address[0] == 0);
  ::munmap(address, page);
}

}  // namespace
