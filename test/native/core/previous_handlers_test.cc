// Handlers that were there before the guard, called by it and by the kernel: what they
// see must be the same. Each scenario has a process of its own.
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <new>

#include "check.h"
#include "child.h"
#include "core/guard.h"
#include "core/page.h"
#include "subject.h"

namespace {

using memmap::core::arm_guard;
using memmap::core::page_size;
using memmap::test::End;
using memmap::test::in_child;
using memmap::test::Subject;

constexpr int kSignals[] = {SIGSEGV, SIGBUS};
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

struct Call {
  int handler;
  uint64_t blocked;  // the kernel's mask
  const void* address;
  int code;
  int error;

  bool operator==(const Call&) const = default;
};

// What a process and its handlers saw: in memory that outlives it.
struct Record {
  static constexpr int kMost = 4;
  Call calls[kMost];
  int count;
  uint64_t blocked_after;
  int value;
  End end;

  bool operator==(const Record& other) const {
    bool same = count == other.count && blocked_after == other.blocked_after &&
                value == other.value && end.signal == other.end.signal &&
                end.code == other.end.code;
    for (int i = 0; i < kMost; i++) same = same && calls[i] == other.calls[i];
    return same;
  }
};

Record* record = nullptr;

uint64_t blocked_now() {
  uint64_t mask = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &mask, sizeof mask);
  return mask;
}

// Notes the call; the process ends where a handler is called for ever.
void note(int handler, const siginfo_t* info) {
  if (record->count == Record::kMost) ::_exit(99);
  Call& call = record->calls[record->count++];
  call = {handler, blocked_now(), nullptr, 0, errno};
  if (info == nullptr) return;
  call.code = info->si_code;
  if (info->si_code > 0) call.address = info->si_addr;
}

// An address that nobody has.
char* wild() { return reinterpret_cast<char*>(uintptr_t{0x4141'4141'4000}); }

char read_at(const void* address) { return *static_cast<const volatile char*>(address); }

enum class Does { kExit, kReturn, kCrash, kJump, kDefault };
Does does = Does::kExit;
jmp_buf jump;

void set(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  ::sigaction(signal, &action, nullptr);
}

void act(int signal) {
  switch (does) {
    case Does::kExit:
      ::_exit(42);
    case Does::kReturn:
      return;
    case Does::kCrash:
      read_at(wild() + record->count);
      return;
    case Does::kJump:
      ::_longjmp(jump, 1);
    case Does::kDefault:
      return set(signal, SIG_DFL);
  }
}

void informed(int signal, siginfo_t* info, void*) {
  note(1, info);
  act(signal);
}

void plain(int signal) {
  note(2, nullptr);
  act(signal);
}

// With SA_SIGINFO the informed handler, else the plain one.
void install(int signal, int flags, bool blocks = false) {
  struct sigaction action = {};
  action.sa_flags = flags;
  if ((flags & SA_SIGINFO) != 0) {
    action.sa_sigaction = informed;
  } else {
    action.sa_handler = plain;
  }
  if (blocks) ::sigaddset(&action.sa_mask, SIGUSR1);
  ::sigaction(signal, &action, nullptr);
}

template <typename F>
Record recorded(F f) {
  void* page = ::mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  record = new (page) Record{};
  const End end = in_child(f);
  record->end = end;
  const Record result = *record;
  ::munmap(page, sizeof(Record));
  return result;
}

// Under the kernel alone, and with the guard between.
template <typename F, typename G>
bool same_with_guard(F before, G after) {
  const auto run = [&](bool guarded) {
    return recorded([&] {
      before();
      if (guarded) arm_guard();
      after();
    });
  };
  const Record alone = run(false);
  const Record guarded = run(true);
  if (alone == guarded) return true;
  for (const Record* each : {&alone, &guarded}) {
    std::printf("%s: %d calls, signal %d, code %d, blocked %llx, errno %d; then %llx\n",
                each == &alone ? "alone  " : "guarded", each->count, each->end.signal,
                each->end.code, static_cast<unsigned long long>(each->calls[0].blocked),
                each->calls[0].error,
                static_cast<unsigned long long>(each->blocked_after));
  }
  return false;
}

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
    arm_guard();
    read_at(wild());
  });
  CHECK(seen.count == 1 && seen.calls[0].handler == 2);
  CHECK(seen.end.signal == SIGSEGV);
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
            arm_guard();
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

TEST_ALONE(
    "an installation with SA_RESETHAND is called once, however often the guard is "
    "armed") {
  const Record spent = recorded([] {
    does = Does::kReturn;
    install(SIGSEGV, SA_SIGINFO | static_cast<int>(SA_RESETHAND));
    arm_guard();
    ::raise(SIGSEGV);
    arm_guard();
    set(SIGSEGV, SIG_IGN);
    arm_guard();
    read_at(wild());
  });
  CHECK(spent.count == 1 && spent.end.signal == SIGSEGV);
  const Record again = recorded([] {
    does = Does::kReturn;
    for (int i = 0; i < 2; i++) {
      install(SIGSEGV, SA_SIGINFO | static_cast<int>(SA_RESETHAND));
      arm_guard();
      ::raise(SIGSEGV);
    }
    read_at(wild());
  });
  CHECK(again.count == 2 && again.end.signal == SIGSEGV);
}

// Handlers that ask whom they found, as crash reporters do.
template <int kId>
struct Asks {
  static inline struct sigaction found = {};

  static void handle(int signal, siginfo_t* info, void* context) {
    note(kId, info);
    if ((found.sa_flags & SA_SIGINFO) != 0)
      return found.sa_sigaction(signal, info, context);
    set(signal, SIG_DFL);
  }
  static void install() {
    struct sigaction action = {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, &found);
  }
  static void uninstall() { ::sigaction(SIGSEGV, &found, nullptr); }
};
using First = Asks<1>;
using Second = Asks<2>;

// Whether these handlers were called, in this order, and the process died of the fault.
bool calls(const Record& seen, std::initializer_list<int> handlers) {
  if (seen.count != static_cast<int>(handlers.size())) return false;
  const Call* call = seen.calls;
  for (int handler : handlers) {
    if (call++->handler != handler) return false;
  }
  return seen.end.signal == SIGSEGV;
}

template <typename F>
Record crashed(F f) {
  return recorded([&] {
    f();
    read_at(wild());
  });
}

TEST_ALONE("handlers that ask whom they found get those before them, each once") {
  CHECK(calls(crashed([] {
                First::install();
                arm_guard();
                Second::install();
              }),
              {2, 1}));
  CHECK(calls(crashed([] {
                First::install();
                arm_guard();
                Second::install();
                arm_guard();
              }),
              {2, 1}));
}

TEST_ALONE("a handler that is installed again, over the guard, is called once") {
  for (bool armed_again : {false, true}) {
    CHECK(calls(crashed([=] {
                  First::install();
                  arm_guard();
                  First::install();
                  if (armed_again) arm_guard();
                }),
                {1}));
    CHECK(calls(crashed([=] {
                  First::install();
                  arm_guard();
                  Second::install();
                  arm_guard();
                  for (int i = 0; i < 100; i++) {
                    First::install();
                    arm_guard();
                    Second::install();
                    if (armed_again || i < 99) arm_guard();
                  }
                }),
                {2, 1}));
  }
}

TEST_ALONE("handlers that were installed again unnoticed do not go round") {
  CHECK(calls(crashed([] {
                First::install();
                arm_guard();
                First::install();
                Second::install();
              }),
              {2, 1, 1}));
  CHECK(calls(crashed([] {
                First::install();
                arm_guard();
                Second::install();
                First::install();
              }),
              {1, 2}));
}

TEST_ALONE("a handler that was uninstalled is not called") {
  for (bool armed_between : {false, true}) {
    CHECK(calls(crashed([=] {
                  First::install();
                  arm_guard();
                  Second::install();
                  if (armed_between) arm_guard();
                  Second::uninstall();
                  arm_guard();
                }),
                {1}));
    CHECK(calls(crashed([=] {
                  First::install();
                  arm_guard();
                  First::uninstall();
                  if (armed_between) arm_guard();
                }),
                {}));
  }
}

TEST_ALONE("a handler whose library is gone is passed over") {
#if defined(__x86_64__)
  const unsigned char returns[] = {0xc3};
#elif defined(__aarch64__)
  const unsigned char returns[] = {0xc0, 0x03, 0x5f, 0xd6};
#endif
  CHECK(calls(crashed([&] {
                First::install();
                arm_guard();
                void* code = ::mmap(nullptr, page_size(), PROT_READ | PROT_WRITE,
                                    kAnonymous, -1, 0);
                std::memcpy(code, returns, sizeof returns);
                ::mprotect(code, page_size(), PROT_READ | PROT_EXEC);
                struct sigaction action = {};
                action.sa_sigaction =
                    reinterpret_cast<void (*)(int, siginfo_t*, void*)>(code);
                action.sa_flags = SA_SIGINFO;
                ::sigaction(SIGSEGV, &action, nullptr);
                arm_guard();
                ::munmap(code, page_size());
              }),
              {1}));
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

TEST_ALONE("a handler's jump out of a fault leaves the guard at work") {
  CHECK(recorded([] {
          does = Does::kJump;
          install(SIGSEGV, SA_SIGINFO | SA_NODEFER);
          arm_guard();
          for (int i = 0; i < 3; i++) {
            if (_setjmp(jump) == 0) read_at(wild());
          }
          Subject subject(1, PROT_READ, kAnonymous);
          *static_cast<volatile char*>(subject.at(0)) = 'w';
          CHECK(subject.counted(memmap::core::FaultKind::kReadOnly, 1, 0, 1));
        }).end.well());
}

TEST_ALONE(
    "the runtime's handler is asked where a plain one, SIG_DFL or SIG_IGN took its "
    "place") {
  for (void (*handler)(int) : {+plain, SIG_DFL, SIG_IGN}) {
    for (bool of_runtime : {false, true}) {
      const Record seen = recorded([=] {
        does = Does::kReturn;
        First::install();
        // Of the file that holds the handler, or of another.
        memmap::core::note_previous_handlers(of_runtime
                                                 ? reinterpret_cast<const void*>(&note)
                                                 : ::dlsym(RTLD_DEFAULT, "getpid"));
        set(SIGSEGV, handler);
        arm_guard();
        read_at(wild());
      });
      const int asked = handler == +plain ? 1 : 0;
      CHECK(seen.end.signal == SIGSEGV && seen.count == asked + (of_runtime ? 1 : 0));
      CHECK(!of_runtime || seen.calls[asked].handler == 1);
    }
  }
}

}  // namespace
