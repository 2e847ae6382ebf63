// A handler that was there before the guard, called by it and by the kernel: what it sees
// must be the same. Each scenario has a process of its own.
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "check.h"
#include "core/guard/guard.h"
#include "core/page.h"
#include "handlers.h"
#include "subject.h"

namespace {

using memmap::core::arm_guard;
using memmap::core::page_size;
using memmap::test::blocked_now;
using memmap::test::does;
using memmap::test::Does;
using memmap::test::install;
using memmap::test::jump;
using memmap::test::note;
using memmap::test::read_at;
using memmap::test::Record;
using memmap::test::record;
using memmap::test::recorded;
using memmap::test::same_with_guard;
using memmap::test::set;
using memmap::test::Subject;
using memmap::test::wild;

constexpr int kSignals[] = {SIGSEGV, SIGBUS};
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

void meet(int signal, bool sent) {
  errno = 77;
  if (_setjmp(jump) == 0) {
    if (sent) {
      ::raise(signal);
    } else {
      read_at(wild());
    }
  }
  record->blocked_after = blocked_now();
}

void block_usr2() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR2);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

TEST_ALONE("a previous handler is called as the kernel would have called it") {
  for (int informs : {0, SA_SIGINFO}) {
    for (int defers : {0, SA_NODEFER}) {
      for (int resets : {0, static_cast<int>(SA_RESETHAND)}) {
        for (Does each :
             {Does::kExit, Does::kReturn, Does::kCrash, Does::kJump, Does::kDefault}) {
          for (bool sent : {false, true}) {
            // Without the guard it would be called for ever; see below.
            if (each == Does::kReturn && informs == 0 && resets == 0 && !sent) continue;
            const auto before = [=] {
              does = each;
              block_usr2();
              install(SIGSEGV, informs | defers | resets, true);
            };
            CHECK(same_with_guard(before, [=] { meet(SIGSEGV, sent); }));
          }
        }
      }
    }
  }
}

TEST_ALONE("SIG_DFL and SIG_IGN do what the kernel does") {
  for (int signal : kSignals) {
    for (void (*handler)(int) : {SIG_DFL, SIG_IGN}) {
      for (bool sent : {false, true}) {
        if (signal == SIGBUS && !sent) continue;
        CHECK(
            same_with_guard([=] { set(signal, handler); }, [=] { meet(signal, sent); }));
      }
    }
  }
}

TEST_ALONE(
    "a plain handler of a fault that changed nothing is called once; then it is death") {
  const Record seen = recorded([] {
    does = Does::kReturn;
    install(SIGSEGV, 0);
    static_cast<void>(arm_guard());
    read_at(wild());
  });
  CHECK(seen.count == 1 && seen.calls[0].handler == 2);
  CHECK(seen.end.signal == SIGSEGV);
}

TEST_ALONE(
    "a plain handler that puts another in its place leaves the fault to that one") {
  const auto kReplaces = [](int signal) {
    note(3, nullptr);
    does = Does::kExit;
    install(signal, SA_SIGINFO);
  };
  CHECK(same_with_guard([=] { set(SIGSEGV, kReplaces); }, [] { meet(SIGSEGV, false); }));
}

TEST_ALONE("memory that can be read is not enough for a write") {
  const Record seen = recorded([] {
    does = Does::kReturn;
    install(SIGSEGV, 0);
    static_cast<void>(arm_guard());
    void* page = ::mmap(nullptr, page_size(), PROT_READ, kAnonymous, -1, 0);
    *static_cast<volatile char*>(page) = 'w';
  });
  CHECK(seen.count == 1 && seen.end.signal == SIGSEGV);
}

char* hidden = nullptr;
int hidden_prot = PROT_NONE;

TEST_ALONE("a plain handler that mends is called each time") {
  const auto kMends = [](int) {
    note(3, nullptr);
    ::mprotect(hidden, page_size(), hidden_prot);
  };
  for (bool write : {false, true}) {
    CHECK(recorded([&] {
            set(SIGSEGV, kMends);
            static_cast<void>(arm_guard());
            hidden = static_cast<char*>(
                ::mmap(nullptr, page_size(), PROT_NONE, kAnonymous, -1, 0));
            hidden_prot = write ? PROT_READ | PROT_WRITE : PROT_READ;
            for (int i = 0; i < 3; i++) {
              ::mprotect(hidden, page_size(), write ? PROT_READ : PROT_NONE);
              if (write) *static_cast<volatile char*>(hidden) = 'w';
              if (!write) read_at(hidden);
            }
            CHECK(!write || hidden[0] == 'w');
          }).count == 3);
  }
}

void read_while_signalled() {
  int ends[2];
  CHECK(::pipe(ends) == 0);
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::usleep(100'000);
    ::kill(self, SIGBUS);
    ::usleep(100'000);
    ::_exit(::write(ends[1], "x", 1) == 1 ? 0 : 1);
  }
  char byte = 0;
  const ssize_t got = ::read(ends[0], &byte, 1);
  record->value = got == 1 ? 1 : -errno;
}

TEST_ALONE("a system call that a sent signal interrupts goes on if its handler said so") {
  for (int flags : {0, SA_RESTART}) {
    CHECK(same_with_guard(
        [=] {
          does = Does::kReturn;
          install(SIGBUS, flags);
        },
        read_while_signalled));
  }
}

// A reporter that looks at memory of ours, and meets a fault there.
Subject* looked_at = nullptr;

void look(int, siginfo_t*, void*) {
  note(4, nullptr);
  *static_cast<volatile char*>(looked_at->at(0)) = 'w';
  ::_exit(42);
}

TEST_ALONE(
    "faults of ours in a previous handler are fixed up unless it blocks their signal") {
  const auto kReport = [](int signal, int flags) {
    return recorded([=] {
      Subject subject(1, PROT_READ, kAnonymous);
      looked_at = &subject;
      struct sigaction action = {};
      action.sa_sigaction = look;
      action.sa_flags = SA_SIGINFO | flags;
      ::sigaction(signal, &action, nullptr);
      static_cast<void>(arm_guard());
      ::raise(signal);
    });
  };
  CHECK(kReport(SIGBUS, 0).end.code == 42);
  CHECK(kReport(SIGSEGV, SA_NODEFER).end.code == 42);
  const Record blocked = kReport(SIGSEGV, 0);
  CHECK(blocked.count == 1 && blocked.end.signal == SIGSEGV);
}

TEST_ALONE("a handler's jump out of a fault leaves the guard at work") {
  CHECK(recorded([] {
          does = Does::kJump;
          install(SIGSEGV, SA_SIGINFO | SA_NODEFER);
          static_cast<void>(arm_guard());
          for (int i = 0; i < 3; i++) {
            if (_setjmp(jump) == 0) read_at(wild());
          }
          Subject subject(1, PROT_READ, kAnonymous);
          *static_cast<volatile char*>(subject.at(0)) = 'w';
          CHECK(subject.counted(memmap::core::FaultKind::kReadOnly, 1, 0, 1));
        }).end.well());
}

}  // namespace
