// A thread replaces pages, and another one meets what it has not finished.
#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "check.h"
#include "core/mapping/mapping.h"
#include "core/mapping/mirror.h"
#include "core/mapping/remap.h"
#include "core/page.h"
#include "kernel.h"
#include "mappings.h"
#include "replacing.h"
#include "sys/abi.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::FaultKind;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::core::remap;
using memmap::sys::Result;
using memmap::test::all_bytes;
using memmap::test::Call;
using memmap::test::kReadWrite;
using memmap::test::load;
using memmap::test::map_foreign;
using memmap::test::Meanwhile;
using memmap::test::Other;
using memmap::test::pages;
using memmap::test::pages_of;
using memmap::test::Slot;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

TEST("a fault at a mapping that is being made waits until it is known") {
  Slot slot;
  char seen = 'w';
  Other touches([&] { seen = load(slot.at()); });
  Meanwhile mapped(Call::kMmap, MAP_SHARED | MAP_FIXED, [&] {
    // As if its pages could not be had for a moment: the touch faults.
    ::mprotect(slot.at(), page_size(), PROT_NONE);
    touches.begin();
    ::mprotect(slot.at(), page_size(), kReadWrite);
  });
  Result<Mapping> made = slot.place();
  touches.join();
  CHECK(made && mapped.happened() && seen == 'f' && slot.shows_file());
}

TEST("a fault at pages that are being closed waits until they are") {
  Slot slot;
  Result<Mapping> made = slot.place();
  const auto counts = made->counts();
  constexpr auto kAfterClose = static_cast<size_t>(FaultKind::kAfterClose);
  char seen = 'w';
  Other touches([&] { seen = load(slot.at()); });
  Meanwhile vacated(Call::kMmap, MAP_PRIVATE | MAP_FIXED, [&] { touches.begin(); });
  CHECK(!made->close().failed() && vacated.happened());
  touches.join();
  CHECK(seen == 0 && counts->all == 1 && counts->counts[kAfterClose] == 1);
}

TEST("a fault at addresses that pages are leaving waits until they have gone") {
  const size_t page = page_size();
  for (const bool resized : {false, true}) {
    TemporaryFile file(2 * page, 'f');
    Result<Mapping> made = Mapping::create(pages_of(file));
    auto holder = made->range();
    const auto counts = made->counts();
    char* old = made->address();
    char seen = 'w';
    Other touches([&] { seen = load(old); });
    Meanwhile detached(Call::kMremap, MREMAP_DONTUNMAP, [&] {
      ::mprotect(old, page, PROT_NONE);
      touches.begin();
    });
    Result<Mapping> moved = Mapping();
    if (resized) {
      CHECK(!made->resize(4 * page).failed());
    } else {
      moved = remap(holder, old, 2 * page, 4 * page, MREMAP_MAYMOVE, nullptr);
      CHECK(bool{moved});
    }
    touches.join();
    const char* now = resized ? made->address() : moved->address();
    CHECK(detached.happened() && seen == 0 && counts->all == 1);
    CHECK(counts->counts[static_cast<size_t>(FaultKind::kAfterClose)] == 1);
    CHECK(now != old && all_bytes(now, 2 * page, 'f') && vma_at(old).inode == 0);
  }
}

TEST("a fault at pages whose access is being taken waits until it is known") {
  // Private memory is known by its protection.
  const size_t page = page_size();
  Result<Mapping> made = Mapping::create(pages(2));
  std::memset(made->address(), 'a', 2 * page);
  char seen = 'w';
  Other touches([&] { seen = load(made->address()); });
  Meanwhile taken(Call::kMprotect, 0, [&] { touches.begin(); });
  CHECK(!made->range()->protect(0, 2 * page, PROT_NONE).failed() && taken.happened());
  touches.join();
  CHECK(seen == 0 && made->counts()->all == 1);
  CHECK(!made->range()->protect(0, 2 * page, PROT_READ).failed());
  CHECK(all_bytes(made->address(), 2 * page, 'a'));
}

TEST("threads that make mappings in one place leave the pages of one, and know which") {
  const size_t page = page_size();
  Slot slot;
  TemporaryFile other_file(2 * page, 'o');
  Mapping::Request request = pages_of(other_file);
  request.address = slot.at();
  request.flags |= MAP_FIXED;
  Result<Mapping> second = Mapping();
  Other creates([&] { second = Mapping::create(request); });
  Meanwhile mapped(Call::kMmap, MAP_SHARED | MAP_FIXED, [&] { creates.begin(); });
  Result<Mapping> first = slot.place();
  creates.join();
  CHECK(first && second && mapped.happened());
  const bool shows_second = all_bytes(slot.at(), 2 * page, 'o');
  CHECK(shows_second || slot.shows_file());
  // Its faults are its own.
  const TemporaryFile& shown = shows_second ? other_file : slot.file();
  CHECK(::ftruncate(shown.fd(), 0) == 0 && load(slot.at()) == 0);
  CHECK((shows_second ? second : first)->counts()->all == 1);
}

TEST("a fault at pages that are being mapped anew waits until it is known") {
  const size_t page = page_size();
  Slot slot;
  Result<Mapping> made = slot.place();
  CHECK(::ftruncate(slot.file().fd(), 0) == 0 && load(slot.at()) == 0);
  const std::string bytes(2 * page, 'f');
  CHECK(::pwrite(slot.file().fd(), bytes.data(), bytes.size(), 0) > 0);
  char seen = 'w';
  Other touches([&] { seen = load(slot.at()); });
  Meanwhile mapped(Call::kMremap, MREMAP_FIXED, [&] {
    ::mprotect(slot.at(), page, PROT_NONE);
    touches.begin();
    ::mprotect(slot.at(), page, kReadWrite);
  });
  const Mapping::Source source = {slot.file().fd(), 0, MAP_SHARED, false};
  CHECK(!made->restore(source, kReadWrite).failed() && mapped.happened());
  touches.join();
  CHECK(seen == 'f' && slot.shows_file());
}

TEST(
    "a fault at memory of the runtime onto which pages move waits until they are known") {
  const size_t page = page_size();
  TemporaryFile file(2 * page, 'f');
  char* reserved = map_foreign(2);
  Result<Mapping> made = Mapping::create(pages_of(file));
  char seen = 'w';
  Other touches([&] { seen = load(reserved); });
  Meanwhile moved(Call::kMremap, MREMAP_FIXED, [&] {
    ::mprotect(reserved, page, PROT_NONE);
    touches.begin();
    ::mprotect(reserved, page, kReadWrite);
  });
  CHECK(!made->overlay(reserved).failed() && moved.happened());
  touches.join();
  CHECK(seen == 'f' && all_bytes(reserved, 2 * page, 'f'));
  CHECK(!made->close().failed());
  ::munmap(reserved, 2 * page);
}

TEST("a fault at a mirrored part that is being mapped waits until it is known") {
  const size_t page = page_size();
  TemporaryFile file(page, 'f');
  char* over = map_foreign(2);
  char seen = 'w';
  Other touches([&] { seen = load(over); });
  Meanwhile mapped(Call::kMmap, MAP_SHARED | MAP_FIXED, [&] {
    ::mprotect(over, page, PROT_NONE);
    touches.begin();
    ::mprotect(over, page, kReadWrite);
  });
  auto mapping = memmap::core::map_mirrored(file.fd(), 0, page, over);
  touches.join();
  CHECK(mapping && mapped.happened() && seen == 'f');
  CHECK(!mapping->close().failed());
  ::munmap(over, 2 * page);
}

TEST(
    "threads that touch closed pages see zeros or what is mapped there anew, and take "
    "nothing from it") {
  Slot slot;
  std::atomic<bool> over = false;
  std::atomic<int> wrong = 0;
  const auto touches = [&] {
    while (!over) {
      const char byte = load(slot.at());
      if (byte != 'f' && byte != 0) wrong++;
    }
  };
  std::thread one(touches);
  std::thread two(touches);
  int lost = 0;
  for (int i = 0; i < 3000; i++) {
    Result<Mapping> made = slot.place(PROT_READ);
    if (!made || load(slot.at()) != 'f') lost++;
    std::this_thread::yield();
    if (load(slot.at()) != 'f') lost++;
    if (made->close().failed()) lost++;
  }
  over = true;
  one.join();
  two.join();
  CHECK(lost == 0 && wrong == 0);
}

}  // namespace
