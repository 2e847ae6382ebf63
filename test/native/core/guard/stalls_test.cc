#include "core/guard/stalls.h"

#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <thread>
#include <vector>

#include "check.h"
#include "child.h"
#include "core/guard/guard.h"
#include "core/page.h"
#include "subject.h"

namespace {

using memmap::core::page_size;
using memmap::core::Stalls;
using memmap::test::in_child;
using memmap::test::Subject;

TEST("a row of stalls is a thread's, and ends at another address") {
  static Stalls stalls;
  CHECK(stalls.again(0x1000) == 1 && stalls.again(0x1000) == 2);
  std::thread other([] {
    CHECK(stalls.again(0x1000) == 1 && stalls.again(0x1000) == 2);
    stalls.end();
    CHECK(stalls.again(0x1000) == 1);
  });
  other.join();
  CHECK(stalls.again(0x1000) == 3);
  CHECK(stalls.again(0x2000) == 1 && stalls.again(0x1000) == 1);
  stalls.end();
  CHECK(stalls.again(0x1000) == 1);
}

TEST("threads that have ended leave room for others") {
  static Stalls stalls;
  constexpr int kMoreThanRoom = 100;
  std::atomic<int> left = kMoreThanRoom;
  std::vector<std::thread> threads;
  for (int i = 0; i < kMoreThanRoom; i++) {
    threads.emplace_back([&left] {
      stalls.again(0x1000);
      left -= 1;
      while (left > 0) std::this_thread::yield();  // all of them live at once
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint32_t i = 1; i <= 1000; i++) CHECK(stalls.again(0x3000) == i);
}

// In front of the guard: the access is possible before the guard looks, as if another
// thread had been faster, and not any more after it has looked if `taken_back`.
struct sigaction guards = {};
char* page = nullptr;
bool taken_back = false;

void help_first(int signal, siginfo_t* info, void* context) {
  ::mprotect(page, page_size(), PROT_READ | PROT_WRITE);
  guards.sa_sigaction(signal, info, context);
  if (taken_back) ::mprotect(page, page_size(), PROT_READ);
}

void write_beside_others(Subject& subject, int times) {
  page = subject.at(0);
  ::sigaction(SIGSEGV, nullptr, &guards);
  struct sigaction action = {};
  action.sa_sigaction = help_first;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
  for (int i = 0; i < times; i++) {
    ::mprotect(page, page_size(), PROT_READ);
    static_cast<volatile char*>(page)[i % 2] = 'w';
  }
}

TEST_ALONE("any number of faults that others have fixed up is borne") {
  CHECK(in_child([] {
          Subject subject(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
          constexpr int kMoreThanARow = 100'100;
          write_beside_others(subject, kMoreThanARow);
        }).well());
}

TEST_ALONE("a fault that comes back for ever ends the process by its signal") {
  CHECK(in_child([] {
          Subject subject(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
          taken_back = true;
          write_beside_others(subject, 1);
        }).signal == SIGSEGV);
}

}  // namespace
