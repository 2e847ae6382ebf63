// What the guard knows of a mapping: its descriptor, its addresses, its protection.
#include <signal.h>
#include <sys/mman.h>

#include <memory>

#include "check.h"
#include "child.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "mappings.h"
#include "temporary.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::sys::Result;
using memmap::test::fd_at;
using memmap::test::in_child;
using memmap::test::pages;
using memmap::test::pages_of;
using memmap::test::TemporaryFile;

TEST("the guard forgets a descriptor with the mapping that kept it") {
  const size_t page = page_size();
  for (const bool closed : {false, true}) {
    TemporaryFile file(2 * page, 'f');
    TemporaryFile other(2 * page, 'o');
    std::shared_ptr<AddressRange> holder;
    int number_of_fd = -1;
    {
      Mapping::Request request = pages_of(file);
      request.prot = PROT_READ;
      Result<Mapping> mapping = Mapping::create(request);
      holder = mapping->range();
      mapping->keep(memmap::sys::UniqueFd(::dup(file.fd())));
      number_of_fd = mapping->fd();
      CHECK(fd_at(holder->begin()) == number_of_fd);
      if (closed) CHECK(!mapping->close().failed());
    }
    CHECK(fd_at(holder->begin()) == -1);
    // Another file has the number now, and none of its bytes come under the view.
    CHECK(::dup2(other.fd(), number_of_fd) == number_of_fd);
    holder->begin()[1] = 'w';
    CHECK(holder->begin()[0] == (closed ? '\0' : 'f') && holder->begin()[1] == 'w');
    CHECK(file.all('f') && other.all('o'));
    ::close(number_of_fd);
  }
}

TEST("a descriptor that means another file by now is not mapped under a stray write") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  TemporaryFile other(2 * page, 'o');
  Mapping::Request request = pages_of(file);
  request.prot = PROT_READ;
  Result<Mapping> mapping = Mapping::create(request);
  CHECK(bool{mapping});
  mapping->keep(memmap::sys::UniqueFd(::dup(file.fd())));
  CHECK(::dup2(other.fd(), mapping->fd()) == mapping->fd());
  mapping->address()[1] = 'w';
  CHECK(mapping->address()[0] == 'f' && mapping->address()[1] == 'w');
  CHECK(mapping->address()[page] == 'f' && file.all('f') && other.all('o'));
}

TEST("a mapping that is let go under a holder stays guarded, and counts") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  std::shared_ptr<AddressRange> holder;
  std::shared_ptr<memmap::core::FaultCounts> counts;
  {
    Result<Mapping> mapping = Mapping::create(pages_of(file));
    holder = mapping->range();
    counts = mapping->counts();
  }
  CHECK(::ftruncate(file.fd(), 0) == 0);
  CHECK(holder->begin()[page] == 0 && counts->all == 1);
}

TEST_ALONE("addresses that are reserved trap until something is mapped there") {
  const size_t page = page_size();
  CHECK(in_child([&] {
          Result<Mapping> space = Mapping::reserve(16 * page);
          CHECK(bool{space});
          Result<Mapping> placed =
              Mapping::create(pages(2, space->address() + 4 * page, MAP_FIXED));
          CHECK(placed && placed->range() == space->range());
          placed->address()[page] = 'a';
          const auto view = placed->range();
          CHECK(!placed->range()->protect(4 * page, page, PROT_NONE).failed());
          CHECK(placed->address()[0] == 0 && placed->address()[page] == 'a');
          char* address = placed->address();
          CHECK(!placed->close().failed() && address[page] == 0);
        }).well());
  for (size_t touched : {0U, 3U, 6U, 15U}) {
    for (const bool write : {false, true}) {
      CHECK(in_child([&] {
              Result<Mapping> space = Mapping::reserve(16 * page);
              Result<Mapping> placed =
                  Mapping::create(pages(2, space->address() + 4 * page, MAP_FIXED));
              volatile char* byte = space->address() + touched * page;
              if (write) *byte = 'w';
              CHECK(*byte == 0);
            }).signal == SIGSEGV);
    }
  }
}

TEST("what else mprotect(2) takes beside access is no mark of what stands there") {
  constexpr int kSemaphores = 0x8;  // PROT_SEM: ignored by the kernel
  const size_t page = page_size();
  Mapping::Request request = pages(1);
  request.prot = PROT_READ | kSemaphores;
  Result<Mapping> mapping = Mapping::create(request);
  CHECK(bool{mapping});
  mapping->address()[0] = 'w';
  CHECK(mapping->counts()->all == 1);
  CHECK(!mapping->range()->protect(0, page, PROT_NONE | kSemaphores).failed());
  CHECK(mapping->address()[0] == 0 && mapping->counts()->all == 2);
}

}  // namespace
