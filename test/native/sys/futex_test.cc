#include "sys/futex.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "check.h"
#include "child.h"
#include "kernel.h"
#include "sys/file.h"

namespace {

using memmap::sys::Errno;
using memmap::sys::futex_wait;
using memmap::sys::futex_waitv;
using memmap::sys::futex_wake;
using memmap::sys::FutexWaitv;
using memmap::sys::kFutex32;
using memmap::sys::Result;
using memmap::test::in_child;
using Word = std::atomic<uint32_t>;

constexpr timespec kShort = {0, 10'000'000};
constexpr timespec kLong = {30, 0};
constexpr size_t kPage = 4096;

Word* map_word(int fd) {
  const int flags = MAP_SHARED | (fd == -1 ? MAP_ANONYMOUS : 0);
  void* page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, flags, fd, 0);
  return page == MAP_FAILED ? nullptr : static_cast<Word*>(page);
}

FutexWaitv on(const Word& word, uint32_t expected) {
  return {expected, reinterpret_cast<uintptr_t>(&word), kFutex32, 0};
}

timespec from_now(const timespec& time) {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return {now.tv_sec + time.tv_sec + (now.tv_nsec + time.tv_nsec) / 1'000'000'000,
          (now.tv_nsec + time.tv_nsec) % 1'000'000'000};
}

// Wakes until somebody was asleep.
int wake_one(const Word* word) {
  for (;;) {
    Result<int> woken = futex_wake(word, 1);
    if (!woken || *woken > 0) return woken ? *woken : -1;
    std::this_thread::yield();
  }
}

}  // namespace

TEST("futex_wait: sleeps only while the word holds what it should, and not for ever") {
  const Word word = 1;
  CHECK(futex_wait(&word, 2, &kLong).value == EAGAIN);
  CHECK(futex_wait(&word, 1, &kShort).value == ETIMEDOUT);
  auto* gone = map_word(-1);
  CHECK(gone != nullptr && ::munmap(gone, kPage) == 0);
  CHECK(futex_wait(gone, 0, &kLong).value == EFAULT);
  CHECK(futex_wake(gone, 1).error().value == EFAULT);
}

TEST("futex_wake: wakes as many threads as it is told, and counts them") {
  Word word = 0;
  Word awake = 0;
  std::vector<std::thread> sleepers;
  for (int i = 0; i < 4; ++i) {
    sleepers.emplace_back([&] {
      static_cast<void>(futex_wait(&word, 0, &kLong));
      awake.fetch_add(1);
    });
  }
  CHECK(wake_one(&word) == 1);
  int woken = 1;
  while (woken < 4) woken += *futex_wake(&word, 4);
  for (std::thread& sleeper : sleepers) sleeper.join();
  CHECK(awake == 4 && *futex_wake(&word, 4) == 0);
}

TEST("futex_wake: reaches threads by another mapping of the same memory") {
  auto memfd = memmap::sys::memfd_create("futex", MFD_CLOEXEC);
  CHECK(memfd && ::ftruncate(memfd->get(), kPage) == 0);
  Word* here = map_word(memfd->get());
  Word* there = map_word(memfd->get());
  CHECK(here != nullptr && there != nullptr && here != there);
  std::thread sleeper([here] { static_cast<void>(futex_wait(here, 0, &kLong)); });
  CHECK(wake_one(there) == 1);
  sleeper.join();
  ::munmap(here, kPage);
  ::munmap(there, kPage);
}

TEST("futex_wake: reaches other processes") {
  Word* word = map_word(-1);
  CHECK(word != nullptr);
  std::thread waker([word] { static_cast<void>(wake_one(word)); });
  const auto end = in_child([word] { CHECK(!futex_wait(word, 0, &kLong).failed()); });
  waker.join();
  CHECK(end.well());
  ::munmap(word, kPage);
}

TEST("futex_waitv: tells which of its words was woken, that one differs, or the time") {
  Word first = 1;
  Word second = 2;
  timespec deadline = from_now(kShort);
  FutexWaitv both[] = {on(first, 1), on(second, 2)};
  Result<int> result = futex_waitv(both, 2, &deadline);
  if (!result && result.error().value == ENOSYS) SKIP("Linux before 5.16");
  CHECK(!result && result.error().value == ETIMEDOUT);
  FutexWaitv other[] = {on(first, 1), on(second, 3)};
  deadline = from_now(kLong);
  CHECK(futex_waitv(other, 2, &deadline).error().value == EAGAIN);
  std::thread waker([&second] { static_cast<void>(wake_one(&second)); });
  result = futex_waitv(both, 2, nullptr);
  waker.join();
  CHECK(result && *result == 1);
}
