// Memory that grows down (MAP_GROWSDOWN): what the kernel has added below it, and what is
// another's there.
#include <sys/mman.h>

#include <cstring>
#include <utility>

#include "check.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "mappings.h"
#include "witness.h"

namespace {

using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::sys::Result;
using memmap::test::all_bytes;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::mapped;
using memmap::test::number;
using memmap::test::pages;
using memmap::test::store;
using memmap::test::vma_at;

Result<Mapping> grows_down(size_t count, char* at) {
  Mapping::Request request = pages(count, at, MAP_FIXED_NOREPLACE);
  request.flags |= MAP_GROWSDOWN;
  return Mapping::create(request);
}

TEST("closing memory that grows down leaves a neighbour of ours that it is joined with") {
  const size_t page = page_size();
  char* at = memmap::test::free_addresses(8);
  Result<Mapping> below = grows_down(4, at);
  Result<Mapping> above = grows_down(4, at + 4 * page);
  CHECK(below && above);
  std::memset(at, 'a', 8 * page);
  CHECK(vma_at(at).end >= number(at) + 8 * page);  // the kernel has made them one
  CHECK(!above->close().failed());
  CHECK(all_bytes(at, 4 * page, 'a') && !mapped(at + 4 * page, page));
}

TEST(
    "what others map below memory that grew down stays, once the guard has zeros there") {
  const size_t page = page_size();
  const auto stays = [&](bool closed, bool grown) {
    char* at = memmap::test::free_addresses(2);
    Result<Mapping> above = grows_down(1, at + page);
    CHECK(bool{above});
    auto range = above->range();
    if (grown) store(at, 'g');
    if (closed) {
      CHECK(!above->close().failed());
    } else {
      CHECK(!range->protect(0, page, PROT_NONE).failed());
    }
    // Is fixed up. The kernel may join the zeros with what is below.
    store(at + page, 'w');
    constexpr int kTheirs = kAnonymous | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    char* theirs = at - 3 * page;
    const size_t length = (grown && !closed ? 3 : 4) * page;
    CHECK(::mmap(theirs, length, kReadWrite, kTheirs, -1, 0) == theirs);
    std::memset(theirs, 't', length);
    above = Mapping();
    range.reset();
    CHECK(!mapped(at + page, page));
    CHECK(vma_at(theirs).mapped() && all_bytes(theirs, length, 't'));
    if (grown) CHECK(!mapped(theirs + length, 4 * page - length));
    ::munmap(theirs, length);
  };
  for (const bool closed : {false, true}) {
    for (const bool grown : {false, true}) stays(closed, grown);
  }
}

TEST(
    "PROT_GROWSDOWN takes access from all the kernel takes it from, and the guard "
    "knows") {
  const size_t page = page_size();
  char* at = memmap::test::free_addresses(8);
  Result<Mapping> made = grows_down(8, at);
  CHECK(bool{made});
  std::memset(at, 'a', 8 * page);
  CHECK(!made->range()->protect(4 * page, 4 * page, PROT_READ | PROT_GROWSDOWN).failed());
  CHECK(std::strcmp(vma_at(at).permissions, "r--p") == 0);
  store(at + page, 'w');
  store(at + 5 * page, 'w');
  CHECK(!made->range()->protect(0, 8 * page, kReadWrite).failed());
  CHECK(all_bytes(at, 8 * page, 'a'));
}

}  // namespace
