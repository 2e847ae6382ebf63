#include "core/replacement/page_replacement_lock.h"

#include <atomic>
#include <thread>
#include <vector>

#include "check.h"

namespace {

using memmap::core::PageReplacementLock;
using ForHandler = PageReplacementLock::ForHandler;

void wait_a_little() {
  for (int i = 0; i < 2'000; i++) std::this_thread::yield();
}

TEST("of threads one at a time holds the page replacement lock, whatever for") {
  constexpr int kRounds = 20'000;
  std::atomic<int> inside = 0;
  std::atomic<int> wrong = 0;
  uint64_t total = 0;  // a data race without the lock
  const auto count = [&] {
    if (inside.fetch_add(1) != 0) wrong++;
    total++;
    inside.fetch_sub(1);
  };
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; round++) {
        if (i % 2 == 0) {
          const PageReplacementLock lock;
          count();
        } else {
          const PageReplacementLock lock{ForHandler{}};
          if (!lock.held()) wrong++;
          count();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0 && total == 4 * kRounds);
}

TEST("a thread that holds the lock takes it again, and gives it back with the last") {
  std::atomic<bool> inner_gone = false;
  std::atomic<bool> outer_going = false;
  std::atomic<bool> got_early = false;
  std::thread other;
  {
    const PageReplacementLock outer;
    CHECK(outer.held());
    {
      const PageReplacementLock inner;
      CHECK(inner.held());
    }
    inner_gone = true;
    other = std::thread([&] {
      const PageReplacementLock lock;
      got_early = !outer_going;
    });
    wait_a_little();
    outer_going = true;
  }
  other.join();
  CHECK(inner_gone && !got_early);
}

TEST("who holds the lock does not get it for a handler, and keeps it") {
  std::atomic<bool> going = false;
  std::atomic<bool> got_early = false;
  std::thread other;
  {
    const PageReplacementLock lock;
    {
      const PageReplacementLock handler{ForHandler{}};
      CHECK(!handler.held());
    }
    other = std::thread([&] {
      const PageReplacementLock theirs;
      got_early = !going;
    });
    wait_a_little();
    going = true;
  }
  other.join();
  CHECK(!got_early);
  const PageReplacementLock handler{ForHandler{}};
  CHECK(handler.held());
}

TEST_ALONE("the lock can be given back early, once") {
  PageReplacementLock lock;
  lock.leave();
  CHECK(!lock.held());
  std::thread([] { const PageReplacementLock theirs; }).join();
  lock.leave();
  const PageReplacementLock again;
  CHECK(again.held());
}

TEST_ALONE("threads that sleep on the lock are all woken, one after the other") {
  for (int round = 0; round < 20; round++) {
    std::atomic<int> waiting = 0;
    std::atomic<int> done = 0;
    int done_early = 0;
    std::vector<std::thread> threads;
    threads.reserve(4);
    {
      const PageReplacementLock lock;
      for (int i = 0; i < 4; i++) {
        threads.emplace_back([&] {
          waiting++;
          const PageReplacementLock theirs;
          done++;
        });
      }
      while (waiting < 4) std::this_thread::yield();
      wait_a_little();
      done_early = done;
    }
    // A sleeper that nobody wakes hangs here.
    for (std::thread& thread : threads) thread.join();
    CHECK(done == 4 && done_early == 0);
  }
}

}  // namespace
