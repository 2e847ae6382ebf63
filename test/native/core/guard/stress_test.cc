// Everything at once, from four threads: mappings placed, closed, protected, resized,
// moved and lost, beside stray accesses of the other threads to all of it. Each byte that
// is read must be one that can be there.
//
// MEMMAP_STRESS_SECONDS: how long, 2 without it. MEMMAP_STRESS_SEED: other acts.
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"
#include "core/mapping/mapping.h"
#include "core/page.h"
#include "stress_actor.h"
#include "temporary.h"

namespace {

using memmap::core::AddressRange;
using memmap::core::Mapping;
using memmap::core::page_size;
using memmap::test::Actor;
using memmap::test::Arena;
using memmap::test::kPages;
using memmap::test::kSlots;
using memmap::test::kThreads;

long setting(const char* name, long otherwise) {
  const char* text = ::getenv(name);
  return text == nullptr ? otherwise : std::atol(text);
}

TEST("threads do all that can be done to mappings at once, and find the right bytes") {
  const size_t live = AddressRange::census().live;
  const int descriptors = memmap::test::open_descriptors();
  uint64_t acts = 0;
  {
    Arena arena;
    auto space = Mapping::reserve(kThreads * kSlots * kPages * page_size());
    CHECK(bool{space});
    arena.space = std::move(*space);
    const auto seed = static_cast<uint64_t>(setting("MEMMAP_STRESS_SEED", 1));
    std::vector<std::unique_ptr<Actor>> actors;
    for (size_t i = 0; i < kThreads; i++) {
      actors.push_back(std::make_unique<Actor>(arena, i, seed));
    }
    std::atomic<bool> over = false;
    std::vector<std::thread> threads;
    for (auto& actor : actors) {
      threads.emplace_back([&over, &actor] { actor->work(over); });
    }
    std::this_thread::sleep_for(
        std::chrono::seconds(setting("MEMMAP_STRESS_SECONDS", 2)));
    over = true;
    for (std::thread& thread : threads) thread.join();
    for (auto& actor : actors) {
      if (!actor->wrong().empty()) std::printf("not so: %s\n", actor->wrong().c_str());
      CHECK(actor->wrong().empty());
      acts += actor->acts();
    }
  }
  if (::getenv("MEMMAP_STRESS_SECONDS") != nullptr) {
    std::printf("%lu acts\n", static_cast<unsigned long>(acts));
  }
  CHECK(acts > 0 && memmap::test::open_descriptors() == descriptors);
  AddressRange::sweep();
  CHECK(AddressRange::census().live <= live);
}

}  // namespace
