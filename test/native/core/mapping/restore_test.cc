// Mapping::restore: what the guard did to the pages is undone, from the file if need be;
// Mapping::renew: a file is mapped anew in place.
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "check.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "kernel.h"
#include "mappings.h"
#include "subject.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::FaultKind;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::number;
using memmap::test::Refuse;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

// Cuts the file to `kept` pages, meets that, and has it grow back with 'g'.
bool lose(const TemporaryFile& file, Subject& subject, size_t kept) {
  const size_t page = page_size();
  const size_t size = file.size();
  if (::ftruncate(file.fd(), static_cast<off_t>(kept * page)) != 0) return false;
  if (subject.at(size / page - 1)[0] != 0 || subject.lost_from() != kept * page)
    return false;
  const std::string bytes(size - kept * page, 'g');
  return ::pwrite(file.fd(), bytes.data(), bytes.size(),
                  static_cast<off_t>(kept * page)) > 0;
}

// As a file of overlayfs, which may have another number after it was copied up.
void say_layered(Subject& subject) {
  const memmap::core::PageReplacementLock lock;
  memmap::core::find_extent(number(subject.at(0)))->backing.layered = true;
}

TEST("renew maps another file in place, and can leave the pages that were written") {
  const size_t page = page_size();
  for (const bool keep_own : {false, true}) {
    TemporaryFile lower(8 * page, 'f');
    TemporaryFile upper(8 * page, 'u');
    Subject subject(8, kReadWrite, MAP_PRIVATE, lower.fd());
    subject.at(1)[0] = 'w';
    CHECK(subject.at(2)[0] == 'f');
    say_layered(subject);
    const Mapping::Source source = {upper.fd(), 0, MAP_PRIVATE, false};
    CHECK(!subject.mapping().renew(source, kReadWrite, keep_own).failed());
    CHECK(vma_at(subject.at(7)).inode == upper.inode());
    CHECK(all_bytes(subject.at(2), 6 * page, 'u') && subject.at(0)[0] == 'u');
    CHECK(subject.at(1)[0] == (keep_own ? 'w' : 'u'));
    CHECK(subject.at(1)[1] == (keep_own ? 'f' : 'u'));
  }
}

TEST("restore and renew refuse what the guard does not know of the pages") {
  const size_t page = page_size();
  const auto wide = static_cast<int64_t>(page);
  TemporaryFile file(8 * page, 'f');
  TemporaryFile another(8 * page, 'a');
  Subject subject(8, kReadWrite, MAP_PRIVATE, file.fd());
  for (const Mapping::Source& source : {Mapping::Source{another.fd(), 0, MAP_PRIVATE},
                                        {file.fd(), wide, MAP_PRIVATE},
                                        {file.fd(), 0, MAP_SHARED},
                                        {file.fd(), 0, MAP_PRIVATE | MAP_ANONYMOUS}}) {
    CHECK(subject.mapping().renew(source, kReadWrite, false).value == EINVAL);
  }
  CHECK(subject.mapping().renew({99'999, 0, MAP_PRIVATE}, 0, false).value == EBADF);
  CHECK(subject.at(0)[0] == 'f' && vma_at(subject.at(0)).inode == file.inode());
  CHECK(lose(file, subject, 3));
  CHECK(subject.mapping().restore({another.fd()}, kReadWrite).value == EINVAL);
  CHECK(subject.fixed_up() && subject.at(7)[0] == 0);
}

TEST("renew refuses while the guard has replaced pages, and changes nothing") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  Subject subject(8, kReadWrite, MAP_PRIVATE, file.fd());
  CHECK(lose(file, subject, 3));
  const Mapping::Source source = {file.fd(), 0, MAP_PRIVATE, false};
  CHECK(subject.mapping().renew(source, kReadWrite, true).value == EBUSY);
  CHECK(subject.fixed_up() && subject.lost_from() == 3 * page);
  CHECK(subject.at(7)[0] == 0);
}

TEST("a lost end comes back from the file, and what lies before it stays") {
  const size_t page = page_size();
  for (int flags : {MAP_SHARED, MAP_PRIVATE}) {
    for (const bool end_only : {false, true}) {
      TemporaryFile file(8 * page, 'f');
      Subject subject(8, kReadWrite, flags, file.fd());
      const auto counts = subject.mapping().counts();
      subject.at(1)[0] = 'w';
      CHECK(lose(file, subject, 3));
      const Mapping::Source source = {file.fd(), 0, flags, end_only};
      CHECK(!subject.mapping().restore(source, kReadWrite).failed());
      CHECK(!subject.fixed_up() && subject.lost_from() == SIZE_MAX);
      CHECK(all_bytes(subject.at(3), 5 * page, 'g') && subject.at(2)[0] == 'f');
      // What a private mapping has written is its own, unless all is mapped anew.
      const bool kept = flags == MAP_SHARED || end_only;
      CHECK(subject.at(1)[0] == (kept ? 'w' : 'f'));
      CHECK(vma_at(subject.at(7)).inode == file.inode());
      subject.at(7)[0] = 'x';
      CHECK((file.content()[7 * page] == 'x') == (flags == MAP_SHARED));
      // The next fault is answered like the first.
      CHECK(subject.mapping().counts() == counts && lose(file, subject, 5));
      CHECK(counts->counts[static_cast<size_t>(FaultKind::kTruncated)] == 2);
      CHECK(counts->offsets[0] == 5 * page && counts->lengths[0] == 3 * page);
    }
  }
}

TEST("without a file, restore gives back what stray accesses took, and no access") {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  for (int fd : {-1, file.fd()}) {
    Subject subject(4, kReadWrite, fd < 0 ? kAnonymous : MAP_PRIVATE, fd);
    std::memset(subject.at(0), 'a', 4 * page);
    CHECK(!subject.protect(PROT_NONE).failed() && subject.at(2)[0] == 0);
    subject.at(1)[0] = 'w';
    CHECK(!subject.mapping().restore({}, PROT_READ).failed());
    CHECK(std::strcmp(vma_at(subject.at(0)).permissions, "---p") == 0);
    CHECK(!subject.protect(PROT_READ).failed());
    CHECK(all_bytes(subject.at(0), 4 * page, 'a') && !subject.fixed_up());
    CHECK(std::strcmp(vma_at(subject.at(0)).permissions, "r--p") == 0);
    // Where nothing is lost, the file is not asked.
    const Mapping::Source source = {file.fd(), 0, MAP_PRIVATE, true};
    CHECK(!subject.mapping().restore(source, kReadWrite).failed());
    CHECK(all_bytes(subject.at(0), 4 * page, 'a'));
  }
}

TEST("pages of the file come back from where the mapping begins in it") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  CHECK(::pwrite(file.fd(), "56", 2, static_cast<off_t>(5 * page)) == 2);
  Mapping::Request request = memmap::test::pages_of(file);
  request.offset = static_cast<int64_t>(4 * page);
  request.length = 4 * page;
  auto mapping = Mapping::create(request);
  CHECK(mapping && mapping->address()[page] == '5');
  CHECK(::ftruncate(file.fd(), static_cast<off_t>(5 * page)) == 0);
  CHECK(mapping->address()[2 * page] == 0 && mapping->address()[0] == 'f');
  size_t lost_from = 0;
  CHECK(mapping->fixed_up(lost_from) && lost_from == page);
  CHECK(::ftruncate(file.fd(), static_cast<off_t>(8 * page)) == 0);
  CHECK(::pwrite(file.fd(), "new", 3, static_cast<off_t>(5 * page)) == 3);
  for (const bool end_only : {true, false}) {
    const Mapping::Source source = {file.fd(), request.offset, MAP_SHARED, end_only};
    CHECK(!mapping->restore(source, kReadWrite).failed());
    CHECK(std::memcmp(mapping->address() + page, "new", 3) == 0);
    CHECK(mapping->address()[0] == 'f' && !mapping->fixed_up(lost_from));
  }
}

TEST("restore that the kernel refuses keeps the zeros, and works the next time") {
  const size_t page = page_size();
  TemporaryFile file(8 * page, 'f');
  Subject subject(8, PROT_READ, MAP_SHARED, file.fd());
  CHECK(lose(file, subject, 3));
  const Mapping::Source source = {file.fd(), 0, MAP_SHARED, true};
  {
    Refuse locked(Call::kMmap, MAP_SHARED, EAGAIN);
    CHECK(subject.mapping().restore(source, PROT_READ).value == EAGAIN);
  }
  CHECK(subject.fixed_up() && subject.lost_from() == 3 * page);
  CHECK(all_bytes(subject.at(3), 5 * page, 0) && all_bytes(subject.at(0), 3 * page, 'f'));
  CHECK(!subject.mapping().restore(source, PROT_READ).failed());
  CHECK(all_bytes(subject.at(3), 5 * page, 'g'));
}

}  // namespace
