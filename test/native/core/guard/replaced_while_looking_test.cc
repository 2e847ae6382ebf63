// A thread looks at what it has to fix up, and another one replaces the pages meanwhile.
#include <fcntl.h>
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "check.h"
#include "core/extent/vma.h"
#include "core/guard/guard.h"
#include "core/mapping/mapping.h"
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
using memmap::test::closed_at;
using memmap::test::kReadWrite;
using memmap::test::load;
using memmap::test::map_foreign;
using memmap::test::Meanwhile;
using memmap::test::Other;
using memmap::test::pages;
using memmap::test::pages_of;
using memmap::test::Slot;
using memmap::test::store;
using memmap::test::TemporaryFile;
using memmap::test::vma_at;

constexpr unsigned kLooks = static_cast<unsigned>(memmap::sys::kProcmapQuery);

// Fails where PROCMAP_QUERY is missing: nothing else marks the handler's look.
bool can_look() { return memmap::core::has_procmap_query(); }

#define NEED_LOOKS() \
  if (!can_look()) SKIP("PROCMAP_QUERY needs Linux 6.11")

TEST("a mapping made while a thread looks at a stale fault there keeps its pages") {
  NEED_LOOKS();
  Slot slot;
  Result<Mapping> made = Mapping();
  Other creates([&] { made = slot.place(); });
  {
    Meanwhile look(Call::kIoctl, kLooks, [&] { creates.begin(); });
    CHECK(load(slot.at()) != 'w' && look.happened());
  }
  creates.join();
  CHECK(made && slot.shows_file());
  slot.at()[0] = 'x';
  CHECK(slot.file().content()[0] == 'x');
}

TEST("pages closed while a thread looks at a fault in them stay closed") {
  NEED_LOOKS();
  // By their mapping, or as munmap(2) of a part of it.
  for (const bool by_mapping : {true, false}) {
    Slot slot;
    Result<Mapping> made = slot.place();
    const auto counts = made->counts();
    const auto range = made->range();
    // With a descriptor at hand one look is enough.
    made->keep(memmap::sys::UniqueFd(::dup(slot.file().fd())));
    if (by_mapping) {
      CHECK(::ftruncate(slot.file().fd(), 0) == 0);
    } else {
      CHECK(!range->protect(page_size(), 2 * page_size(), PROT_NONE).failed());
    }
    bool failed = false;
    Other closes([&] {
      failed = (by_mapping ? made->close() : range->vacate(page_size(), 2 * page_size()))
                   .failed();
    });
    {
      Meanwhile look(Call::kIoctl, kLooks, [&] { closes.begin(); });
      CHECK(load(slot.at()) == 0 && look.happened());
    }
    closes.join();
    // Closed pages; or the read came after them, and zeros with it.
    const uint32_t after = counts->counts[static_cast<size_t>(FaultKind::kAfterClose)];
    CHECK(!failed);
    CHECK(after == 1 || (closed_at(slot.at()) && closed_at(slot.at() + page_size())));
    CHECK(counts->all > 0);
  }
}

TEST_ALONE("while a thread opens a file to fix a fault up, others go on") {
  CHECK(!memmap::core::arm_guard().failed());
  Slot slot;
  Result<Mapping> made = slot.place();
  CHECK(::ftruncate(slot.file().fd(), 0) == 0);
  Other closes([&] { static_cast<void>(made->close()); });
  Meanwhile opened(Call::kOpen, static_cast<unsigned>(O_PATH), [&] { closes.finish(); });
  CHECK(load(slot.at()) == 0 && opened.happened());
}

TEST("pages that come by remap while a thread looks at a stale fault there stay") {
  NEED_LOOKS();
  const size_t page = page_size();
  Slot slot;
  Result<Mapping> from = Mapping::create(pages(2));
  std::memset(from->address(), 'a', 2 * page);
  Result<Mapping> moved = Mapping();
  Other moves([&] {
    moved = remap(from->range(), from->address(), 2 * page, 2 * page,
                  MREMAP_MAYMOVE | MREMAP_FIXED, slot.at());
  });
  {
    Meanwhile look(Call::kIoctl, kLooks, [&] { moves.begin(); });
    CHECK(load(slot.at()) != 'w' && look.happened());
  }
  moves.join();
  CHECK(moved && all_bytes(slot.at(), 2 * page, 'a'));
}

TEST(
    "a mapping that moves while a thread looks at a fault in it leaves none of its "
    "pages") {
  NEED_LOOKS();
  const size_t page = page_size();
  for (int way = 0; way < 3; way++) {
    TemporaryFile file(2 * page, 'f');
    Mapping::Request request = pages_of(file);
    request.prot = PROT_READ;
    Result<Mapping> made = Mapping::create(request);
    auto holder = made->range();
    made->keep(memmap::sys::UniqueFd(::dup(file.fd())));
    char* old = made->address();
    char* reserved = map_foreign(2);
    Result<Mapping> moved = Mapping();
    bool failed = false;
    Other moves([&] {
      if (way == 0) failed = made->resize(4 * page).failed();
      if (way == 1) failed = made->overlay(reserved).failed();
      if (way != 2) return;
      moved = remap(holder, old, 2 * page, 4 * page, MREMAP_MAYMOVE, nullptr);
      failed = !moved;
    });
    {
      Meanwhile look(Call::kIoctl, kLooks, [&] { moves.begin(); });
      store(old, 'w');
      CHECK(look.happened());
    }
    moves.join();
    // Closed pages; or the write came after them, and zeros with it.
    CHECK(!failed && (closed_at(old) || vma_at(old).inode == 0) && old[1] == 0);
    const char* now = way == 2 ? moved->address() : made->address();
    CHECK(all_bytes(now, 2 * page, 'f') && file.all('f'));
    CHECK(std::strcmp(vma_at(now).permissions, "r--s") == 0);
    if (way == 1) CHECK(!made->close().failed());
    ::munmap(reserved, 2 * page);
  }
}

TEST("access given while a thread looks at a stray write goes to the file's pages") {
  NEED_LOOKS();
  Slot slot;
  Result<Mapping> made = slot.place(PROT_READ);
  bool failed = false;
  Other protects([&] {
    failed = made->range()->protect(page_size(), 2 * page_size(), kReadWrite).failed();
  });
  {
    Meanwhile look(Call::kIoctl, kLooks, [&] { protects.begin(); });
    store(slot.at(), 'w');
    CHECK(look.happened());
  }
  protects.join();
  CHECK(!failed && vma_at(slot.at()).inode == slot.file().inode());
  CHECK(std::strcmp(vma_at(slot.at()).permissions, "rw-s") == 0);
  slot.at()[1] = 'x';
  CHECK(slot.file().content()[1] == 'x');
}

TEST("pages mapped anew while a thread looks at a fault in the old ones stay") {
  NEED_LOOKS();
  const size_t page = page_size();
  Slot slot;
  Result<Mapping> made = slot.place();
  CHECK(::ftruncate(slot.file().fd(), 0) == 0);
  CHECK(load(slot.at()) == 0);
  const std::string bytes(2 * page, 'f');
  CHECK(::pwrite(slot.file().fd(), bytes.data(), bytes.size(), 0) > 0);
  CHECK(!made->range()->protect(page, 2 * page, PROT_NONE).failed());
  bool failed = false;
  Other restores([&] {
    const Mapping::Source source = {slot.file().fd(), 0, MAP_SHARED, false};
    failed = made->restore(source, kReadWrite).failed();
  });
  {
    Meanwhile look(Call::kIoctl, kLooks, [&] { restores.begin(); });
    static_cast<void>(load(slot.at()));
    CHECK(look.happened());
  }
  restores.join();
  // With the protection that they had.
  CHECK(!made->range()->protect(page, 2 * page, kReadWrite).failed());
  size_t lost_from = 0;
  CHECK(!failed && !made->fixed_up(lost_from) && slot.shows_file());
}

}  // namespace
