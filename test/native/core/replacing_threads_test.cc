// Threads that replace the same pages: replacing.h.
#include "replacing.h"

namespace memmap::test {
namespace {

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

TEST("a mapping closed while a thread looks at a fault in it stays closed") {
  NEED_LOOKS();
  Slot slot;
  Result<Mapping> made = slot.place();
  const auto counts = made->counts();
  CHECK(::ftruncate(slot.file().fd(), 0) == 0);
  Other closes([&] { static_cast<void>(made->close()); });
  {
    Meanwhile look(Call::kIoctl, kLooks, [&] { closes.begin(); });
    CHECK(load(slot.at()) == 0 && look.happened());
  }
  closes.join();
  // Closed pages; or the read came after them, and zeros with it.
  const uint32_t after = counts->counts[static_cast<size_t>(FaultKind::kAfterClose)];
  CHECK(after == 1 || (closed_at(slot.at()) && closed_at(slot.at() + page_size())));
  CHECK(counts->all - after == counts->counts[0] && counts->all > 0);
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
  size_t lost_from = 0;
  CHECK(!failed && !made->fixed_up(lost_from) && slot.shows_file());
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
      const char byte = __atomic_load_n(slot.at(), __ATOMIC_RELAXED);
      if (byte != 'f' && byte != 0) wrong++;
    }
  };
  std::thread one(touches);
  std::thread two(touches);
  int lost = 0;
  for (int i = 0; i < 3000; i++) {
    Result<Mapping> made = slot.place(PROT_READ);
    if (!made || __atomic_load_n(slot.at(), __ATOMIC_RELAXED) != 'f') lost++;
    std::this_thread::yield();
    if (__atomic_load_n(slot.at(), __ATOMIC_RELAXED) != 'f') lost++;
    if (made->close().failed()) lost++;
  }
  over = true;
  one.join();
  two.join();
  CHECK(lost == 0 && wrong == 0);
}

}  // namespace
}  // namespace memmap::test
