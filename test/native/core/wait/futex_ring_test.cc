#include "core/wait/futex_ring.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "check.h"
#include "core/page.h"
#include "kernel.h"
#include "sys/futex.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::FutexRing;
using memmap::core::page_size;
using memmap::test::Call;
using memmap::test::Refuse;

// A page of words.
struct Words {
  std::shared_ptr<AddressRange> range;
  std::atomic<uint32_t>* at;

  Words() {
    void* address = ::mmap(nullptr, page_size(), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    range = AddressRange::take(address, page_size(), AddressRange::Owner::kMemmap);
    at = static_cast<std::atomic<uint32_t>*>(address);
  }

  void change(size_t index) const {
    at[index].fetch_add(1);
    CHECK(bool{memmap::sys::futex_wake(&at[index], 1)});
  }

  uint64_t watched(FutexRing& ring, size_t index, uint32_t expected = 0) const {
    auto id = ring.watch(range, reinterpret_cast<const uint32_t*>(&at[index]), expected);
    return id ? *id : 0;
  }
};

// Null where the kernel has none, or none for us: then there is nothing to test.
std::unique_ptr<FutexRing> open_ring() {
  auto ring = FutexRing::create();
  return ring ? std::move(*ring) : nullptr;
}

bool readable(const FutexRing& ring, int ms) {
  pollfd fd = {ring.fd(), POLLIN, 0};
  return TEMP_FAILURE_RETRY(::poll(&fd, 1, ms)) == 1;
}

// The one watch that has changed, once one has; 0 if they are several.
uint64_t next(FutexRing& ring) {
  for (;;) {
    if (!readable(ring, 10'000)) return 0;
    const auto& changed = ring.take();
    if (!changed.empty()) return changed.size() == 1 ? changed[0] : 0;
  }
}

TEST("a futex ring: a watch tells of each change, until it is ended") {
  auto ring = open_ring();
  if (ring == nullptr) return;
  const Words words;
  const uint64_t one = words.watched(*ring, 0);
  const uint64_t two = words.watched(*ring, 1);
  CHECK(one != two && one >= FutexRing::kFirst);
  CHECK(!readable(*ring, 0));
  for (int i = 0; i < 5; i++) {
    words.change(0);
    CHECK(next(*ring) == one);
    words.change(1);
    CHECK(next(*ring) == two);
  }
  ring->unwatch(one);
  ring->unwatch(one);
  words.change(0);
  words.change(1);
  CHECK(next(*ring) == two);
}

TEST("a futex ring: a word that differs already is told of at once") {
  auto ring = open_ring();
  if (ring == nullptr) return;
  const Words words;
  words.at[0] = 7;
  const uint64_t id = words.watched(*ring, 0);
  CHECK(next(*ring) == id);
}

TEST("a futex ring: a wake-up that changed nothing is not told of, and ends nothing") {
  auto ring = open_ring();
  if (ring == nullptr) return;
  const Words words;
  const uint64_t one = words.watched(*ring, 0);
  CHECK(bool{memmap::sys::futex_wake(&words.at[0], 1)});
  CHECK(readable(*ring, 10'000));
  CHECK(ring->take().empty());
  words.change(0);
  CHECK(next(*ring) == one);
}

TEST("a futex ring: words change in other threads while they are watched") {
  auto ring = open_ring();
  if (ring == nullptr) return;
  const Words words;
  constexpr uint32_t kChanges = 20'000;
  const uint64_t id = words.watched(*ring, 0);
  std::thread other([&words] {
    for (uint32_t i = 0; i < kChanges; i++) words.change(0);
  });
  bool only = true;
  while (words.at[0] != kChanges) only = only && next(*ring) == id;
  other.join();
  CHECK(only);
}

TEST("a futex ring: there is an end to the watches, and room again") {
  auto ring = open_ring();
  if (ring == nullptr) return;
  const Words words;
  const auto* word = reinterpret_cast<const uint32_t*>(&words.at[0]);
  std::vector<uint64_t> ids;
  for (auto id = ring->watch(words.range, word, 0); id;
       id = ring->watch(words.range, word, 0)) {
    ids.push_back(*id);
    if (ids.size() > 10'000) break;
  }
  CHECK(ids.size() == 128);
  CHECK(ring->watch(words.range, word, 0).error().value == EBUSY);
  words.at[0].fetch_add(1);
  CHECK(bool{memmap::sys::futex_wake(&words.at[0], INT32_MAX)});
  size_t told = 0;
  while (told < ids.size() && readable(*ring, 10'000)) told += ring->take().size();
  CHECK(told == ids.size());
  for (const uint64_t id : ids) ring->unwatch(id);
  // Each that was ended leaves a completion behind, and they are taken.
  CHECK(readable(*ring, 10'000));
  CHECK(ring->take().empty());
  const uint64_t again = words.watched(*ring, 1);
  words.change(1);
  CHECK(next(*ring) == again);
}

TEST(
    "a futex ring: what the kernel would not take is handed over with the next request") {
  auto ring = open_ring();
  if (ring == nullptr) return;
  const Words words;
  const auto* word = reinterpret_cast<const uint32_t*>(&words.at[0]);
  {
    const Refuse out_of_memory(Call::kIoUringEnter, 0, EAGAIN);
    CHECK(ring->watch(words.range, word, 0).error().value == EAGAIN);
    CHECK(words.range.use_count() == 1);
  }
  const uint64_t id = words.watched(*ring, 1);
  words.change(1);
  CHECK(next(*ring) == id);
}

TEST("a futex ring: more than it has room for, while the kernel takes nothing") {
  auto ring = open_ring();
  if (ring == nullptr) return;
  const Words words;
  const auto* word = reinterpret_cast<const uint32_t*>(&words.at[0]);
  {
    const Refuse out_of_memory(Call::kIoUringEnter, 0, EAGAIN);
    for (int i = 0; i < 200; i++) CHECK(!ring->watch(words.range, word, 0));
  }
  const uint64_t id = words.watched(*ring, 1);
  words.change(1);
  CHECK(next(*ring) == id);
}

TEST("a futex ring: a watch that could not be renewed is, once the kernel has memory") {
  auto ring = open_ring();
  if (ring == nullptr) return;
  const Words words;
  const uint64_t one = words.watched(*ring, 0);
  const uint64_t two = words.watched(*ring, 1);
  words.change(0);
  words.change(1);
  CHECK(readable(*ring, 10'000));
  {
    const Refuse out_of_memory(Call::kIoUringEnter, 0, EAGAIN);
    CHECK(ring->take().size() == 2);
    for (int i = 0; i < 10; i++) CHECK(readable(*ring, 0) && ring->take().empty());
  }
  CHECK(readable(*ring, 0) && ring->take().empty());
  CHECK(!readable(*ring, 0));
  // Each is waited for once.
  for (const size_t index : {0, 1}) {
    auto woken = memmap::sys::futex_wake(&words.at[index], INT32_MAX);
    CHECK(woken && *woken == 1);
  }
  CHECK(readable(*ring, 10'000) && ring->take().empty());
  for (int i = 0; i < 3; i++) {
    words.change(0);
    CHECK(next(*ring) == one);
    words.change(1);
    CHECK(next(*ring) == two);
  }
}

TEST("a futex ring: none of many watches is lost while the kernel takes nothing") {
  auto ring = open_ring();
  if (ring == nullptr) return;
  const Words words;
  constexpr size_t kMany = 120;
  std::vector<uint64_t> ids;
  for (size_t i = 0; i < kMany; i++) ids.push_back(words.watched(*ring, i));
  size_t told = 0;
  {
    const Refuse out_of_memory(Call::kIoUringEnter, 0, EAGAIN);
    for (size_t i = 0; i < kMany; i++) words.change(i);
    for (int i = 0; i < 10; i++) told += ring->take().size();
  }
  while (told < kMany && readable(*ring, 10'000)) told += ring->take().size();
  CHECK(told == kMany);
  static_cast<void>(ring->take());
  for (size_t i = 0; i < kMany; i++) {
    words.change(i);
    CHECK(next(*ring) == ids[i]);
  }
}

TEST("a futex ring: addresses are free again when it has gone") {
  const Words words;
  {
    auto ring = open_ring();
    if (ring == nullptr) return;
    words.watched(*ring, 0);
    CHECK(words.range.use_count() == 2);
  }
  CHECK(words.range.use_count() == 1);
}

}  // namespace
