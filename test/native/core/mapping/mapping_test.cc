#include "core/mapping/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "check.h"
#include "core/guard/guard.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "sys/abi.h"
#include "sys/fd.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::FaultKind;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::sys::Result;
using memmap::sys::UniqueFd;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::closed_at;
using memmap::test::Ignore;
using memmap::test::map_foreign;
using memmap::test::mapped;
using memmap::test::Owner;
using memmap::test::pages;
using memmap::test::pages_of;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

TEST("a mapping covers whole pages") {
  Mapping::Request request = pages(1);
  request.length = 1;
  Result<Mapping> mapping = Mapping::create(request);
  CHECK(mapping);
  CHECK(mapping->length() == page_size());
  CHECK(mapping->range()->length() == page_size());
  CHECK(mapping->at(0, page_size()) == mapping->address());
  CHECK(mapping->at(page_size(), 0) == mapping->address() + page_size());
  CHECK(mapping->at(1, page_size()) == nullptr);
  CHECK(mapping->at(1, SIZE_MAX) == nullptr);
}

TEST("a length of zero is EINVAL, one that no rounding can hold is ENOMEM") {
  Mapping::Request request = pages(0);
  CHECK(Mapping::create(request).error().value == EINVAL);
  request.length = SIZE_MAX;
  CHECK(Mapping::create(request).error().value == ENOMEM);
  request.length = SIZE_MAX - page_size();
  CHECK(Mapping::create(request).error().value == ENOMEM);
}

TEST("a file of huge pages is mapped in huge pages, whatever length was asked for") {
  const UniqueFd file(
      ::memfd_create("memmap test", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB));
  constexpr size_t kHuge = size_t{2} << 20;
  CHECK(file.valid() && ::ftruncate(file.get(), kHuge) == 0);
  Mapping::Request request = pages(1);
  request.flags = MAP_SHARED | MAP_NORESERVE;
  request.fd = file.get();
  Result<Mapping> mapping = Mapping::create(request);
  CHECK(mapping && mapping->length() == kHuge);
  char* address = mapping->address();
  CHECK(vma_at(address).end - vma_at(address).start == kHuge);
  CHECK(!mapping->close().failed() && !vma_at(address).mapped());

  // The kernel would replace what lies behind the page, too.
  Result<Mapping> page = Mapping::create(pages(1, address, MAP_FIXED));
  CHECK(page && page->address() == address);
  request.address = address;
  request.flags |= MAP_FIXED;
  CHECK(Mapping::create(request).error().value == EEXIST);
}

TEST("MAP_FIXED over foreign memory is EEXIST and changes no byte") {
  char* foreign = map_foreign(3);
  for (size_t i = 0; i < 3 * page_size(); i++) foreign[i] = 'f';
  char* inside = foreign + page_size();
  CHECK(Mapping::create(pages(1, inside, MAP_FIXED)).error().value == EEXIST);
  CHECK(Mapping::create(pages(2, inside, MAP_FIXED)).error().value == EEXIST);
  CHECK(Mapping::create(pages(1, foreign, MAP_FIXED)).error().value == EEXIST);
  CHECK(all_bytes(foreign, 3 * page_size(), 'f'));
  ::munmap(foreign, 3 * page_size());
}

TEST("MAP_FIXED that leaves the range it begins in is EEXIST and changes no byte") {
  char* foreign = map_foreign(2);
  foreign[page_size()] = 'f';
  auto own = AddressRange::take(foreign, page_size(), Owner::kMemmap);
  CHECK(Mapping::create(pages(2, foreign, MAP_FIXED)).error().value == EEXIST);
  CHECK(foreign[page_size()] == 'f');
  ::munmap(foreign + page_size(), page_size());
}

TEST("MAP_FIXED over a range of the runtime is EEXIST") {
  char* foreign = map_foreign(1);
  auto range = AddressRange::take(foreign, page_size(), Owner::kRuntime);
  CHECK(Mapping::create(pages(1, foreign, MAP_FIXED)).error().value == EEXIST);
  ::munmap(foreign, page_size());
}

TEST("MAP_FIXED over free addresses maps them") {
  char* free_page = map_foreign(1);
  ::munmap(free_page, page_size());
  Result<Mapping> mapping = Mapping::create(pages(1, free_page, MAP_FIXED));
  CHECK(mapping && mapping->address() == free_page);
}

TEST("MAP_FIXED_NOREPLACE taken for a hint is EEXIST, and the pages elsewhere go") {
  char* foreign = map_foreign(1);
  const size_t live = AddressRange::census().live;
  Ignore old_kernel(MAP_FIXED_NOREPLACE);
  CHECK(Mapping::create(pages(1, foreign, MAP_FIXED)).error().value == EEXIST);
  CHECK(AddressRange::census().live == live);
  CHECK(vma_at(foreign).mapped());
  ::munmap(foreign, page_size());
}

TEST("MAP_FIXED inside a range of ours replaces the pages and shares the range") {
  const size_t page = page_size();
  Result<Mapping> outer = Mapping::create(pages(4));
  CHECK(outer);
  for (size_t i = 0; i < 4 * page; i++) outer->address()[i] = 'o';
  Result<Mapping> inner = Mapping::create(pages(2, outer->address() + page, MAP_FIXED));
  CHECK(inner);
  CHECK(inner->range() == outer->range());
  CHECK(all_bytes(outer->address(), page, 'o'));
  CHECK(all_bytes(inner->address(), 2 * page, 0));
  CHECK(all_bytes(outer->address() + 3 * page, page, 'o'));
  // The outer one goes first: the addresses stay for the inner one.
  char* address = outer->address();
  CHECK(!outer->close().failed());
  CHECK(mapped(address, 4 * page));
  CHECK(!inner->close().failed());
  CHECK(!mapped(address, 4 * page));
}

TEST("a map into a range that failed and left a hole is closed pages there") {
  const size_t page = page_size();
  Result<Mapping> outer = Mapping::create(pages(3));
  TemporaryFile file(page, 'f');
  Mapping::Request request = pages_of(file);
  request.address = outer->address() + page;
  request.flags |= MAP_FIXED;
  CHECK(::munmap(request.address, page) == 0);
  {
    Refuse full(Call::kMmap, MAP_SHARED | MAP_FIXED, EAGAIN);
    CHECK(Mapping::create(request).error().value == EAGAIN);
  }
  CHECK(closed_at(request.address) && outer->address()[page] == 0);
}

TEST(
    "a map into a range that the kernel refuses late leaves no hole, and trial pages "
    "none") {
  const size_t page = page_size();
  Result<Mapping> outer = Mapping::create(pages(3));
  std::memset(outer->address(), 'o', 3 * page);
  TemporaryFile file(page, 'f');
  Mapping::Request request = pages_of(file);
  request.address = outer->address() + page;
  request.flags |= MAP_FIXED;
  {
    Refuse late(Call::kMmap, MAP_SHARED | MAP_FIXED, EFAULT, 0, 1);
    CHECK(Mapping::create(request).error().value == EFAULT && late.refused() == 1);
  }
  CHECK(closed_at(request.address) && outer->address()[page] == 0);
  CHECK(outer->address()[0] == 'o' && outer->address()[2 * page] == 'o');
  // What is in memory is tried elsewhere first: no page of ours is gone.
  const memmap::sys::UniqueFd sealed(
      ::memfd_create("memmap test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK(::ftruncate(sealed.get(), static_cast<off_t>(page)) == 0);
  CHECK(::fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_WRITE) == 0);
  request.fd = sealed.get();
  request.address = outer->address();
  const size_t before = memmap::test::count_mappings();
  {
    const Refuse any(Call::kMmap, MAP_SHARED | MAP_FIXED, EFAULT);
    CHECK(Mapping::create(request).error().value == EPERM && any.refused() == 0);
  }
  CHECK(outer->address()[0] == 'o' && memmap::test::count_mappings() == before);
}

TEST("a placed mapping closes to zeros, and its neighbours keep their bytes") {
  const size_t page = page_size();
  Result<Mapping> outer = Mapping::create(pages(3));
  for (size_t i = 0; i < 3 * page; i++) outer->address()[i] = 'o';
  TemporaryFile file(page, 'f');
  Mapping::Request request = pages_of(file);
  request.address = outer->address() + page;
  request.flags |= MAP_FIXED;
  Result<Mapping> inner = Mapping::create(request);
  CHECK(inner && vma_at(inner->address()).inode == file.inode());
  char* address = inner->address();
  const size_t retired = AddressRange::census().retired;
  CHECK(!inner->close().failed());
  CHECK(AddressRange::census().retired == retired);
  CHECK(closed_at(address));
  CHECK(all_bytes(address, page, 0));
  CHECK(all_bytes(address - page, page, 'o') && all_bytes(address + page, page, 'o'));
}

TEST("close without another holder unmaps, a second close does nothing") {
  Result<Mapping> mapping = Mapping::create(pages(2));
  char* address = mapping->address();
  CHECK(!mapping->close().failed());
  CHECK(!mapped(address, 2 * page_size()));
  CHECK(!mapping->close().failed());
}

TEST("close under a holder leaves closed pages that read zeros, and releases the file") {
  TemporaryFile file(2 * page_size(), 'f');
  Result<Mapping> mapping = Mapping::create(pages_of(file));
  CHECK(mapping);
  auto holder = mapping->range();
  char* address = mapping->address();
  CHECK(!mapping->close().failed());
  CHECK(closed_at(address) && closed_at(address + page_size()));
  CHECK(all_bytes(address, 2 * page_size(), 0));
  address[0] = 'w';
  CHECK(file.all('f'));
  CHECK(AddressRange::census().retired_bytes >= 2 * page_size());
  holder.reset();
  CHECK(!mapped(address, 2 * page_size()));
}

TEST("close at the limit of mappings leaves pages that nobody reaches, and zeros") {
  TemporaryFile file(2 * page_size(), 'f');
  Result<Mapping> mapping = Mapping::create(pages_of(file));
  auto holder = mapping->range();
  const auto counts = mapping->counts();
  char* address = mapping->address();
  Refuse full(Call::kMmap, MAP_FIXED, ENOMEM);
  CHECK(!mapping->close().failed());
  CHECK(full.refused() > 0 && vma_at(address).inode == file.inode());
  CHECK(std::strcmp(vma_at(address).permissions, "---s") == 0);
  // Where it could be had, it is zeros from the first touch on.
  {
    Refuse room(Call::kMmap, MAP_FIXED, ENOMEM, 0, 0);
    address[page_size()] = 'w';
    CHECK(address[0] == 0 && vma_at(address).inode == 0);
  }
  CHECK(counts->counts[static_cast<size_t>(FaultKind::kAfterClose)] == 1);
  CHECK(file.all('f'));
}

TEST("close that the kernel refuses changes nothing and can be repeated") {
  Result<Mapping> mapping = Mapping::create(pages(1));
  auto holder = mapping->range();
  mapping->address()[0] = 'a';
  {
    Refuse sealed(Call::kMmap, MAP_FIXED, EACCES);
    CHECK(mapping->close().value == EACCES);
  }
  CHECK(mapping->address()[0] == 'a');
  CHECK(mapping->range() == holder);
  char* address = mapping->address();
  CHECK(!mapping->close().failed());
  CHECK(address[0] == 0);
}

TEST_ALONE("close without the guard leaves zeros") {
  CHECK(memmap::core::disable_guard());
  TemporaryFile file(page_size(), 'f');
  Result<Mapping> mapping = Mapping::create(pages_of(file));
  auto holder = mapping->range();
  char* address = mapping->address();
  CHECK(!mapping->close().failed());
  CHECK(vma_at(address).inode == 0);
  CHECK(std::strcmp(vma_at(address).permissions, "rw-p") == 0);
  CHECK(address[0] == 0);
}

TEST_ALONE(
    "close without the guard, under strict overcommit, leaves zeros that can only be "
    "read") {
  CHECK(memmap::core::disable_guard());
  Result<Mapping> mapping = Mapping::create(pages(1));
  auto holder = mapping->range();
  char* address = mapping->address();
  address[0] = 'a';
  Refuse full(Call::kMmap, MAP_FIXED, ENOMEM, 0, 1);
  CHECK(!mapping->close().failed());
  CHECK(full.refused() == 1);
  CHECK(address[0] == 0);
  CHECK(std::strcmp(vma_at(address).permissions, "r--p") == 0);
}

TEST("a kept descriptor is closed with the mapping") {
  const int before = memmap::test::open_descriptors();
  Result<Mapping> mapping = Mapping::create(pages(1));
  CHECK(mapping->fd() == -1);
  mapping->keep(memmap::sys::UniqueFd(::dup(1)));
  CHECK(mapping->fd() >= 0 && memmap::test::open_descriptors() == before + 1);
  Mapping moved = std::move(*mapping);
  CHECK(!moved.close().failed());
  CHECK(memmap::test::open_descriptors() == before);
}

}  // namespace
