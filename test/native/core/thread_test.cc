#include "core/thread.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "check.h"
#include "child.h"

namespace {

using memmap::core::FaultsLetThrough;
using memmap::core::start_thread;
using memmap::test::in_child;

// What the thread has seen of itself.
struct Seen {
  sigset_t mask;
  sigset_t with_faults;
  sigset_t after;
  char name[16];
  std::atomic<bool> done = false;
};

void look(void* data) {
  auto* seen = static_cast<Seen*>(data);
  pthread_sigmask(SIG_SETMASK, nullptr, &seen->mask);
  {
    const FaultsLetThrough faults;
    pthread_sigmask(SIG_SETMASK, nullptr, &seen->with_faults);
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &seen->after);
  pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
  seen->done = true;
}

// But for those that cannot be blocked, and those that libc keeps for itself.
bool blocks_all(const sigset_t& mask, bool but_faults) {
  for (int signal = 1; signal <= SIGRTMAX; signal++) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    if (signal > SIGSYS && signal < SIGRTMIN) continue;
    const bool fault = signal == SIGBUS || signal == SIGSEGV;
    if ((sigismember(&mask, signal) == 1) == (but_faults && fault)) return false;
  }
  return true;
}

TEST("a thread of ours takes no signals, but of its own faults where it may meet some") {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Seen seen = {};
  CHECK(!start_thread("memmap-test", look, &seen).failed());
  while (!seen.done) ::usleep(1000);
  CHECK(blocks_all(seen.mask, false));
  CHECK(blocks_all(seen.with_faults, true));
  CHECK(blocks_all(seen.after, false));
  CHECK(std::strcmp(seen.name, "memmap-test") == 0);
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal <= SIGRTMAX; signal++) {
    CHECK(sigismember(&before, signal) == sigismember(&after, signal));
  }
}

TEST_ALONE("a thread that cannot be started is EAGAIN, and another one can be later") {
  if (::geteuid() != 0) SKIP("only root can become a user with no threads left");
  CHECK(in_child([] {
          constexpr rlim_t kPlenty = 10'000;
          const rlimit none = {1, kPlenty};
          const rlimit some = {kPlenty, kPlenty};
          CHECK(::setrlimit(RLIMIT_NPROC, &none) == 0 && ::setuid(65'534) == 0);
          Seen seen = {};
          CHECK(start_thread("memmap-test", look, &seen).value == EAGAIN);
          CHECK(::setrlimit(RLIMIT_NPROC, &some) == 0);
          CHECK(!start_thread("memmap-test", look, &seen).failed());
          while (!seen.done) ::usleep(1000);
        }).well());
}

}  // namespace
