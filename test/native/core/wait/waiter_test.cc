#include "core/wait/waiter.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"
#include "child.h"
#include "core/guard/guard.h"
#include "kernel.h"
#include "subject.h"
#include "sys/futex.h"
#include "temporary.h"

namespace {

using memmap::core::cancel_wait;
using memmap::core::cancel_waits;
using memmap::core::heard_wait;
using memmap::core::page_size;
using memmap::core::start_wait;
using memmap::core::Wait;
using memmap::sys::futex_wake;
using memmap::test::Call;
using memmap::test::in_child;
using memmap::test::Refuse;
using memmap::test::Subject;
using memmap::test::TemporaryFile;
using Clock = std::chrono::steady_clock;
using Word = std::atomic<uint32_t>;

constexpr auto kNever = Clock::time_point::max();
constexpr auto kWatchdog = std::chrono::seconds(30);

// Whoever waits: how often it was told of each of its waits.
class Listener {
 public:
  ~Listener() { cancel_waits(this); }

  bool cancels(uint64_t id) { return cancel_wait(this, id, false); }

  uint64_t wait(const Word& word, uint32_t expected,
                Clock::time_point deadline = kNever) {
    Wait wait;
    wait.word = &word;
    wait.expected = expected;
    wait.deadline = deadline;
    return start(std::move(wait));
  }
  // Goes on until it is cancelled.
  uint64_t watch(const Word& word, uint32_t expected) {
    Wait wait;
    wait.word = &word;
    wait.expected = expected;
    wait.deadline = kNever;
    wait.stays = true;
    return start(std::move(wait));
  }

  // Whether it is told of the wait so often, before the watchdog bites.
  bool hears(uint64_t id, int times = 1) {
    std::unique_lock lock(mutex_);
    return told_something_.wait_for(lock, kWatchdog, [&] { return told_[id] == times; });
  }
  // As far as has been heard.
  int told(uint64_t id) {
    std::lock_guard lock(mutex_);
    return told_[id];
  }
  int told() {
    std::lock_guard lock(mutex_);
    int all = 0;
    for (const auto& one : told_) all += one.second;
    return all;
  }

 private:
  uint64_t start(Wait wait) {
    wait.listener = this;
    wait.done = &Listener::tell;
    auto id = start_wait(std::move(wait));
    return id ? *id : 0;
  }
  static void tell(void* self, uint64_t id) {
    auto* listener = static_cast<Listener*>(self);
    std::lock_guard lock(listener->mutex_);
    listener->told_[id] += 1;
    listener->told_something_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable told_something_;
  std::map<uint64_t, int> told_;
};

// Changes the word, as whoever wakes does, and wakes all.
void change(Word& word) {
  word.fetch_add(1);
  static_cast<void>(futex_wake(&word, INT32_MAX));
}

// What has been asked for until now has been looked at by the waiter's thread: it is told
// of a wait that is over at once.
bool settled(Listener& listener) {
  const Word word = 1;
  return listener.hears(listener.wait(word, 0));
}

void tells_of_all_that_can_end_a_wait() {
  Listener listener;
  Word word = 5;
  const uint64_t woken = listener.wait(word, 5);
  const uint64_t differs = listener.wait(word, 4);
  CHECK(woken > 0 && differs > woken);
  CHECK(listener.hears(differs));
  CHECK(listener.told(woken) == 0);
  const auto deadline = Clock::now() + std::chrono::milliseconds(20);
  const uint64_t over = listener.wait(word, 5, deadline);
  CHECK(listener.hears(over));
  CHECK(Clock::now() >= deadline && listener.told(woken) == 0);
  change(word);
  CHECK(listener.hears(woken));
  CHECK(!listener.cancels(woken) && !listener.cancels(over));
}

// More than futex_waitv(2) takes; each is told of its own word.
void tells_many() {
  constexpr size_t kMany = 400;
  Listener listener;
  std::deque<Word> words(kMany);
  std::vector<uint64_t> ids;
  for (const Word& word : words) ids.push_back(listener.wait(word, 0));
  CHECK(settled(listener));
  for (size_t i = 0; i < kMany; i += 2) change(words[i]);
  for (size_t i = 0; i < kMany; i += 2) CHECK(listener.hears(ids[i]));
  for (size_t i = 1; i < kMany; i += 2) CHECK(listener.told(ids[i]) == 0);
  for (size_t i = 1; i < kMany; i += 2) change(words[i]);
  for (size_t i = 1; i < kMany; i += 2) CHECK(listener.hears(ids[i]));
}

}  // namespace

TEST("waiter: tells of a wake-up, of a word that differs, and of a deadline") {
  tells_of_all_that_can_end_a_wait();
}

TEST("waiter: tells hundreds of waits, each of its own word") { tells_many(); }

TEST_ALONE("waiter: on a kernel without futex_waitv goes on by looking") {
  const Refuse old(Call::kFutexWaitv, 0, ENOSYS);
  tells_of_all_that_can_end_a_wait();
  tells_many();
  CHECK(old.refused() == 1);
}

TEST_ALONE("waiter: where futex_waitv is forbidden goes on by looking") {
  const Refuse filter(Call::kFutexWaitv, 0, EPERM);
  tells_of_all_that_can_end_a_wait();
  CHECK(filter.refused() == 1);
}

TEST("waiter: tells of a wake-up though the word is the same again") {
  Listener listener;
  Word word = 0;
  const uint64_t id = listener.wait(word, 0);
  CHECK(settled(listener));
  // Until it sleeps there is nobody to wake.
  while (listener.told(id) == 0) {
    static_cast<void>(futex_wake(&word, 1));
    std::this_thread::yield();
  }
  CHECK(listener.told(id) == 1);
}

TEST("waiter: tells of each change of a word that it watches, once it is heard") {
  Listener listener;
  Word word = 0;
  const uint64_t id = listener.watch(word, 0);
  CHECK(settled(listener));
  for (int times = 1; times <= 5; ++times) {
    change(word);
    CHECK(listener.hears(id, times));
    // Nobody has heard of that: what comes now is the same news.
    change(word);
    CHECK(settled(listener));
    CHECK(listener.told(id) == times);
    heard_wait(id);
    CHECK(settled(listener));
    CHECK(listener.told(id) == times);
  }
  CHECK(!cancel_wait(&listener, id, false));
  CHECK(cancel_wait(&listener, id, true));
  change(word);
  CHECK(settled(listener));
  CHECK(listener.told(id) == 5);
}

TEST_ALONE("waiter: a word whose file is cut off is looked at, and the process lives") {
  CHECK(in_child([] {
          static_cast<void>(memmap::core::arm_guard());
          const TemporaryFile file(page_size(), 'x');
          Subject words(1, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd());
          auto& word = *reinterpret_cast<Word*>(words.at(0));
          Listener listener;
          const uint64_t id = listener.watch(word, word);
          CHECK(settled(listener) && listener.told(id) == 0);
          CHECK(::ftruncate(file.fd(), 0) == 0);
          CHECK(settled(listener));
          CHECK(listener.hears(id) && word == 0);
        }).well());
}

TEST("waiter: tells nothing of what was cancelled") {
  Listener listener;
  Listener other;
  Word word = 0;
  const uint64_t cancelled = listener.wait(word, 0);
  const uint64_t left = listener.wait(word, 0);
  const uint64_t others = other.wait(word, 0);
  CHECK(!other.cancels(cancelled) && !cancel_wait(&listener, cancelled, true));
  CHECK(listener.cancels(cancelled) && !listener.cancels(cancelled));
  change(word);
  CHECK(listener.hears(left) && other.hears(others));
  CHECK(listener.told(cancelled) == 0);
}

TEST("waiter: forgets all that one listener asked for, and nothing of another's") {
  Listener one;
  Listener other;
  Word word = 0;
  for (int i = 0; i < 5; ++i) CHECK(one.wait(word, 0) != 0);
  const uint64_t others = other.wait(word, 0);
  cancel_waits(&one);
  change(word);
  CHECK(other.hears(others));
  CHECK(settled(other));
  CHECK(one.told() == 0);
}

TEST("waiter: tells of a word whose memory is gone, and goes on with the others") {
  constexpr size_t kPage = 4096;
  Listener listener;
  void* page =
      ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  Word word = 0;
  const uint64_t kept = listener.wait(word, 0);
  // Its thread has begun, and maps nothing more for itself where the page was.
  CHECK(settled(listener));
  CHECK(::munmap(page, kPage) == 0);
  CHECK(listener.hears(listener.wait(*static_cast<Word*>(page), 0)));
  CHECK(listener.told(kept) == 0);
  change(word);
  CHECK(listener.hears(kept));
}

TEST("waiter: threads that start, wake and cancel waits at the same time") {
  constexpr int kRounds = 300;
  constexpr int kThreads = 3;
  std::atomic<int> wrong = 0;
  std::deque<Word> words(kThreads);
  std::atomic<bool> over = false;
  std::thread waker([&] {
    while (!over) {
      for (Word& word : words) change(word);
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const auto own = static_cast<size_t>(i);
      Listener listener;
      for (int round = 0; round < kRounds; ++round) {
        const uint64_t id = listener.wait(words[own], words[own]);
        if (round % 3 == 0) std::this_thread::yield();
        // Told, or cancelled: one of the two, and no more once cancel has returned.
        if (round % 2 == 0) {
          const bool cancelled = listener.cancels(id);
          if (cancelled ? listener.told(id) != 0 : !listener.hears(id)) wrong += 1;
        } else if (!listener.hears(id)) {
          wrong += 1;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  over = true;
  waker.join();
  CHECK(wrong == 0);
}
