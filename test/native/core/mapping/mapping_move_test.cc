// Mapping::resize and Mapping::overlay: the pages get other addresses.
#include <sys/mman.h>

#include <memory>
#include <utility>

#include "check.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::sys::Result;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::closed_at;
using memmap::test::counts_at;
using memmap::test::map_foreign;
using memmap::test::mapped;
using memmap::test::MoveOne;
using memmap::test::NoAddressSpace;
using memmap::test::Owner;
using memmap::test::pages;
using memmap::test::pages_of;
using memmap::test::Refuse;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

TEST("resize without a holder keeps the bytes and unmaps what it leaves") {
  const size_t page = page_size();
  Result<Mapping> mapping = Mapping::create(pages(2));
  mapping->address()[0] = 'a';
  mapping->address()[page] = 'b';
  const size_t live = AddressRange::census().live;
  CHECK(!mapping->resize(64 * page - 1).failed());
  CHECK(mapping->length() == 64 * page && mapping->range()->length() == 64 * page);
  CHECK(mapping->address()[0] == 'a' && mapping->address()[page] == 'b');
  CHECK(mapping->address()[64 * page - 1] == 0);
  CHECK(!mapping->resize(1).failed());
  CHECK(mapping->length() == page && mapping->address()[0] == 'a');
  CHECK(!mapped(mapping->address() + page, page));
  CHECK(AddressRange::census().live == live);
}

TEST("resize under a holder moves the pages and leaves zeros behind") {
  const size_t page = page_size();
  for (size_t count : {1U, 4U}) {
    Result<Mapping> mapping = Mapping::create(pages(2));
    auto holder = mapping->range();
    char* old = mapping->address();
    old[0] = 'a';
    old[page] = 'b';
    CHECK(!mapping->resize(count * page).failed());
    CHECK(mapping->address() != old && mapping->length() == count * page);
    CHECK(mapping->address()[0] == 'a');
    if (count > 1) CHECK(mapping->address()[page] == 'b');
    CHECK(all_bytes(old, 2 * page, 0));
    holder.reset();
    CHECK(!mapped(old, 2 * page));
  }
}

TEST("resize under a holder of a file leaves none of its pages behind") {
  const size_t page = page_size();
  TemporaryFile file(4 * page, 'f');
  Mapping::Request request = pages_of(file);
  request.length = 2 * page;
  Result<Mapping> mapping = Mapping::create(request);
  auto holder = mapping->range();
  char* old = mapping->address();
  CHECK(!mapping->resize(4 * page).failed());
  CHECK(all_bytes(mapping->address(), 4 * page, 'f'));
  CHECK(vma_at(mapping->address()).inode == file.inode());
  CHECK(closed_at(old) && closed_at(old + page));
  CHECK(all_bytes(old, 2 * page, 0));
}

TEST("resize under a holder on a kernel without MREMAP_DONTUNMAP changes nothing") {
  Result<Mapping> mapping = Mapping::create(pages(2));
  auto holder = mapping->range();
  char* address = mapping->address();
  address[page_size()] = 'a';
  Refuse old_kernel(Call::kMremap, MREMAP_DONTUNMAP, EINVAL);
  CHECK(mapping->resize(4 * page_size()).value == EINVAL);
  CHECK(mapping->address() == address && mapping->length() == 2 * page_size());
  CHECK(mapping->range() == holder && address[page_size()] == 'a');
}

TEST("resize that fails half-way puts the pages back") {
  const size_t page = page_size();
  for (size_t count : {1U, 4U}) {
    Result<Mapping> mapping = Mapping::create(pages(2));
    auto holder = mapping->range();
    char* address = mapping->address();
    address[0] = 'a';
    address[page] = 'b';
    {
      // Once detached, the old addresses cannot be vacated.
      Refuse sealed(Call::kMmap, MAP_FIXED, EPERM);
      CHECK(mapping->resize(count * page).value == EPERM);
      CHECK(sealed.refused() == 1);
    }
    CHECK(mapping->address() == address && mapping->length() == 2 * page);
    CHECK(address[0] == 'a' && address[page] == 'b');
  }
  Result<Mapping> mapping = Mapping::create(pages(2));
  auto holder = mapping->range();
  mapping->address()[page] = 'b';
  // Detached, but not to be enlarged.
  Refuse full(Call::kMremap, MREMAP_MAYMOVE, ENOMEM, 1, 1);
  CHECK(mapping->resize(4 * page).value == ENOMEM);
  CHECK(full.refused() == 1);
  CHECK(mapping->address()[page] == 'b');
}

TEST("resize refuses zero, what no rounding can hold, and a placed mapping") {
  Result<Mapping> mapping = Mapping::create(pages(2));
  CHECK(mapping->resize(0).value == EINVAL);
  CHECK(mapping->resize(SIZE_MAX).value == EINVAL);
  char* address = mapping->address();
  CHECK(!mapping->resize(2 * page_size()).failed());
  CHECK(mapping->address() == address);
  Result<Mapping> inner = Mapping::create(pages(1, address, MAP_FIXED));
  CHECK(inner && inner->resize(2 * page_size()).value == EINVAL);
}

TEST("what has been unmapped cannot be moved, and reads zeros as before") {
  const size_t page = page_size();
  char* reserved = map_foreign(4);
  for (size_t hole : {size_t{0}, size_t{2}, size_t{3}}) {
    Result<Mapping> mapping = Mapping::create(pages(4));
    std::memset(mapping->address(), 'a', 4 * page);
    auto holder = mapping->range();
    char* address = mapping->address();
    CHECK(!holder->vacate(hole * page, page).failed());
    CHECK(mapping->resize(8 * page).value == EFAULT);
    CHECK(mapping->overlay(reserved).value == EFAULT);
    CHECK(mapping->address() == address && mapping->length() == 4 * page);
    CHECK(closed_at(address + hole * page));
    // Without it they can.
    CHECK(mapping->resize(hole * page).value == (hole == 0 ? EINVAL : 0));
    if (hole > 0) CHECK(all_bytes(mapping->address(), hole * page, 'a'));
    CHECK(address[hole * page] == 0);
  }
  // Nobody else reaches this one.
  Result<Mapping> alone = Mapping::create(pages(2));
  CHECK(!alone->range()->vacate(page, page).failed());
  CHECK(alone->resize(3 * page).value == EFAULT);
  CHECK(alone->address()[page] == 0);
  ::munmap(reserved, 4 * page);
}

TEST("overlay moves the pages onto the runtime's addresses") {
  const size_t page = page_size();
  char* reserved = map_foreign(2);
  TemporaryFile file(2 * page, 'f');
  Result<Mapping> mapping = Mapping::create(pages_of(file));
  char* old = mapping->address();
  CHECK(!mapping->overlay(reserved).failed());
  CHECK(mapping->address() == reserved && mapping->length() == 2 * page);
  CHECK(mapping->range()->owner() == Owner::kRuntime);
  CHECK(vma_at(reserved).inode == file.inode() && all_bytes(reserved, 2 * page, 'f'));
  CHECK(!mapped(old, 2 * page));
  // The runtime still has its buffer: closing empties the addresses, and keeps them.
  CHECK(!mapping->close().failed());
  CHECK(closed_at(reserved) && closed_at(reserved + page));
  CHECK(all_bytes(reserved, 2 * page, 0));
  ::munmap(reserved, 2 * page);
}

TEST("overlay moves parts that are protected differently") {
  const size_t page = page_size();
  char* reserved = map_foreign(4);
  Result<Mapping> mapping = Mapping::create(pages(4));
  std::memset(mapping->address(), 'a', 4 * page);
  CHECK(!mapping->range()->protect(page, page, PROT_READ).failed());
  CHECK(!mapping->range()->protect(2 * page, page, PROT_NONE).failed());
  CHECK(!mapping->overlay(reserved).failed());
  CHECK(std::strcmp(vma_at(reserved).permissions, "rw-p") == 0);
  CHECK(std::strcmp(vma_at(reserved + page).permissions, "r--p") == 0);
  CHECK(std::strcmp(vma_at(reserved + 2 * page).permissions, "---p") == 0);
  CHECK(reserved[0] == 'a' && reserved[page] == 'a' && reserved[3 * page] == 'a');
  CHECK(!mapping->close().failed());
  ::munmap(reserved, 4 * page);
}

TEST("overlay under a holder leaves zeros where the pages were") {
  char* reserved = map_foreign(1);
  Result<Mapping> mapping = Mapping::create(pages(1));
  auto holder = mapping->range();
  char* old = mapping->address();
  old[0] = 'a';
  CHECK(!mapping->overlay(reserved).failed());
  CHECK(reserved[0] == 'a' && old[0] == 0);
  CHECK(holder->owner() == Owner::kMemmap);
  holder.reset();
  CHECK(!mapped(old, page_size()));
  CHECK(!mapping->close().failed());
  ::munmap(reserved, page_size());
}

TEST("overlay that the kernel refuses changes nothing") {
  char* reserved = map_foreign(2);
  Result<Mapping> mapping = Mapping::create(pages(1));
  char* old = mapping->address();
  old[0] = 'a';
  CHECK(mapping->overlay(reserved + 1).value == EINVAL);  // not at a page
  auto holder = mapping->range();
  Refuse old_kernel(Call::kMremap, MREMAP_DONTUNMAP, EINVAL);
  CHECK(mapping->overlay(reserved).value == EINVAL);
  CHECK(mapping->address() == old && mapping->range() == holder && old[0] == 'a');
  CHECK(reserved[0] == 0);
  ::munmap(reserved, 2 * page_size());
}

TEST("overlay of several mappings of the kernel leaves no hole for others on its way") {
  const size_t page = page_size();
  for (const bool held : {false, true}) {
    char* reserved = map_foreign(3);
    Result<Mapping> mapping = Mapping::create(pages(3));
    const auto holder = held ? mapping->range() : nullptr;
    char* old = mapping->address();
    for (size_t i : {0U, 1U, 2U}) old[i * page] = static_cast<char>('a' + i);
    CHECK(::madvise(old + page, page, MADV_DONTDUMP) == 0);
    {
      const MoveOne old_kernel([] {});
      CHECK(!mapping->overlay(reserved).failed() && !old_kernel.happened());
    }
    for (size_t i : {0U, 1U, 2U}) CHECK(reserved[i * page] == static_cast<char>('a' + i));
    CHECK(held ? closed_at(old) && closed_at(old + 2 * page) : !mapped(old, 3 * page));
    CHECK(!mapping->close().failed());
    ::munmap(reserved, 3 * page);
  }
}

TEST("overlay that the kernel refuses late leaves no hole in the engine's buffer") {
  const size_t page = page_size();
  char* reserved = map_foreign(2);
  Result<Mapping> mapping = Mapping::create(pages(2));
  char* old = mapping->address();
  old[0] = 'a';
  {
    Refuse late(Call::kMremap, MREMAP_FIXED, EFAULT, 0, 1);
    CHECK(mapping->overlay(reserved).value == EFAULT && late.refused() == 1);
  }
  CHECK(mapping->address() == old && old[0] == 'a');
  CHECK(mapped(reserved, 2 * page) && all_bytes(reserved, 2 * page, 0));
  {
    const auto holder = mapping->range();
    const NoAddressSpace full;
    CHECK(mapping->overlay(reserved).value == ENOMEM);
  }
  CHECK(mapping->address() == old && old[0] == 'a');
  CHECK(mapped(reserved, 2 * page) && all_bytes(reserved, 2 * page, 0));
  CHECK(!mapping->overlay(reserved).failed() && reserved[0] == 'a');
  CHECK(!mapping->close().failed());
  ::munmap(reserved, 2 * page);
}

TEST("overlay of a placed mapping does not retire the range around it") {
  const size_t page = page_size();
  char* reserved = map_foreign(1);
  Result<Mapping> outer = Mapping::create(pages(2));
  AddressRange::sweep();  // what other tests have left there would go now
  Result<Mapping> inner = Mapping::create(pages(1, outer->address() + page, MAP_FIXED));
  const size_t retired = AddressRange::census().retired;
  CHECK(!inner->overlay(reserved).failed());
  CHECK(AddressRange::census().retired == retired);
  ::munmap(reserved, page);
}

TEST("overlay whose old addresses cannot be emptied has moved all the same") {
  const size_t page = page_size();
  for (const bool of_file : {false, true}) {
    char* reserved = map_foreign(2);
    TemporaryFile file(2 * page, 'f');
    Result<Mapping> mapping = Mapping::create(of_file ? pages_of(file) : pages(2));
    auto holder = mapping->range();
    char* old = mapping->address();
    old[page] = 'a';
    const auto counts = mapping->counts();
    {
      Refuse sealed(Call::kMmap, MAP_FIXED, EPERM);
      CHECK(!mapping->overlay(reserved).failed() && sealed.refused() == 1);
    }
    CHECK(mapping->address() == reserved && mapping->counts() == counts);
    CHECK(reserved[page] == 'a' && vma_at(old).mapped());
    // What is left there is still guarded.
    if (of_file) {
      CHECK(::ftruncate(file.fd(), 0) == 0);
      CHECK(old[page] == 0 && reserved[page] == 0 && counts->all == 2);
    } else {
      CHECK(old[page] == 0 && !holder->protect(0, page, PROT_NONE).failed());
      CHECK(old[0] == 0);
    }
    CHECK(!mapping->close().failed());
    ::munmap(reserved, 2 * page);
  }
}

TEST("a mapping that moves keeps its counts, its descriptor and its page size") {
  const size_t page = page_size();
  for (const bool held : {false, true}) {
    TemporaryFile file(4 * page, 'f');
    Result<Mapping> mapping = Mapping::create(pages_of(file));
    mapping->keep(memmap::sys::UniqueFd(::dup(file.fd())));
    CHECK(::unlink(file.path()) == 0);
    auto holder = held ? mapping->range() : nullptr;
    const auto counts = mapping->counts();
    CHECK(!mapping->resize(8 * page).failed() && mapping->counts() == counts);
    CHECK(counts_at(mapping->address()) == counts);
    // Only the descriptor tells where the file ends.
    CHECK(mapping->address()[6 * page] == 0 && counts->all == 1);
    CHECK(counts->offsets[0] == 4 * page && counts->lengths[0] == 4 * page);
  }
}

}  // namespace
