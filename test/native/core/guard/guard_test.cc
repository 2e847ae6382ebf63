// The handler among others. Each test has a process of its own: handlers are the
// process's.
#include "core/guard/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "check.h"
#include "child.h"
#include "core/guard/fault_news.h"
#include "core/page.h"
#include "mappings.h"
#include "subject.h"
#include "temporary.h"
#include "witness.h"

namespace {

using memmap::core::arm_guard;
using memmap::core::FaultKind;
using memmap::core::page_size;
using memmap::test::End;
using memmap::test::in_child;
using memmap::test::kAnonymous;
using memmap::test::kReadWrite;
using memmap::test::Subject;
using memmap::test::TemporaryFile;

constexpr int kSignals[] = {SIGSEGV, SIGBUS};

using Handler = void (*)(int, siginfo_t*, void*);

void install(int signal, Handler handler) {
  struct sigaction action = {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(signal, &action, nullptr);
}

void install_plain(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  ::sigaction(signal, &action, nullptr);
}

// Another process than the armed one: it has seen no map, and goes by itself.
template <typename F>
End armed(F f) {
  return in_child([&] {
    CHECK(!arm_guard().failed());
    f();
  });
}

char read_at(const void* address) {
  const char byte = *static_cast<const volatile char*>(address);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // handlers may have run
  return byte;
}

// An address that nobody has.
const void* wild() { return reinterpret_cast<const void*>(uintptr_t{0x4141'4141'4000}); }

// A mapping of somebody else, past the end of its file.
const void* foreign_lost_page(const TemporaryFile& file) {
  return ::mmap(nullptr, page_size(), PROT_READ, MAP_SHARED, file.fd(), 0);
}

// Has a fault of each signal fixed up.
bool fixes_up() {
  TemporaryFile file(2 * page_size(), 'f');
  Subject lost(2, PROT_READ, MAP_SHARED, file.fd());
  Subject read_only(1, PROT_READ, kAnonymous);
  if (::ftruncate(file.fd(), 0) != 0) return false;
  if (read_at(lost.at(1)) != 0) return false;
  *static_cast<volatile char*>(read_only.at(0)) = 'w';
  return lost.counted(FaultKind::kTruncated, 1, 0, 2) &&
         read_only.counted(FaultKind::kReadOnly, 1, 0, 1);
}

struct sigaction handler_of(int signal) {
  struct sigaction now = {};
  ::sigaction(signal, nullptr, &now);
  return now;
}

TEST_ALONE("faults of both signals are fixed up once the guard is armed") {
  CHECK(armed([] { CHECK(fixes_up()); }).well());
}

TEST_ALONE("a fault that is not ours ends the process by its signal") {
  CHECK(armed([] { read_at(wild()); }).signal == SIGSEGV);
  TemporaryFile empty;
  CHECK(armed([&] { read_at(foreign_lost_page(empty)); }).signal == SIGBUS);
  // After faults of ours, too.
  CHECK(armed([] {
          CHECK(fixes_up());
          read_at(wild());
        }).signal == SIGSEGV);
}

TEST_ALONE("a write to constants of the program, and a call of data, end the process") {
  static const char constant[] = "constant";
  CHECK(armed([] {
          const auto address = reinterpret_cast<uintptr_t>(constant);
          *reinterpret_cast<volatile char*>(address) = 'w';
        }).signal == SIGSEGV);
  CHECK(armed([] {
          Subject data(1, PROT_READ, kAnonymous);
          void (*volatile call)() = reinterpret_cast<void (*)()>(data.at(0));
          call();
        }).signal == SIGSEGV);
}

TEST_ALONE("memory of ours that was unmapped is no longer ours") {
  CHECK(armed([] {
          const void* gone = nullptr;
          {
            const Subject subject(1, kReadWrite, kAnonymous);
            gone = const_cast<Subject&>(subject).at(0);
          }
          read_at(gone);
        }).signal == SIGSEGV);
}

TEST_ALONE(
    "a handler installed before ours gets the faults that are not ours, as the kernel "
    "told them") {
  static const void* expected = nullptr;
  constexpr auto kHandler = [](int signal, siginfo_t* info, void* context) {
    ::_exit(info->si_signo == signal && info->si_addr == expected && context != nullptr
                ? 40 + signal
                : 1);
  };
  TemporaryFile empty;
  for (int signal : kSignals) {
    const End end = in_child([&] {
      for (int each : kSignals) install(each, kHandler);
      CHECK(!arm_guard().failed());
      CHECK(fixes_up());
      expected = signal == SIGSEGV ? wild() : foreign_lost_page(empty);
      read_at(expected);
    });
    CHECK(end.code == 40 + signal);
  }
}

TEST_ALONE("a handler that helps by itself is called, and the access goes on") {
  static char* hidden = nullptr;
  static volatile int calls = 0;
  constexpr auto kHandler = [](int, siginfo_t*, void*) {
    calls = calls + 1;
    ::mprotect(hidden, page_size(), PROT_READ);
  };
  CHECK(in_child([&] {
          install(SIGSEGV, kHandler);
          CHECK(!arm_guard().failed());
          void* page = ::mmap(nullptr, page_size(), PROT_NONE, kAnonymous, -1, 0);
          hidden = static_cast<char*>(page);
          CHECK(read_at(hidden) == 0 && calls == 1);
        }).well());
}

TEST_ALONE("a plain handler that returns, or SIG_IGN, lets a fault end the process") {
  // As Node's behind process.on('SIGSEGV'): without the guard it returns for ever.
  constexpr auto kReturns = [](int) {};
  for (void (*handler)(int) : {+kReturns, SIG_IGN}) {
    CHECK(in_child([&] {
            install_plain(SIGSEGV, handler);
            CHECK(!arm_guard().failed());
            CHECK(fixes_up());
            read_at(wild());
          }).signal == SIGSEGV);
  }
}

TEST_ALONE("a signal that is sent goes to whoever asked for it last") {
  static volatile int calls = 0;
  constexpr auto kCounts = [](int) { calls = calls + 1; };
  constexpr auto kCountsToo = [](int, siginfo_t*, void*) { calls = calls + 10; };
  for (int signal : kSignals) {
    CHECK(armed([=] { ::raise(signal); }).signal == signal);
    CHECK(in_child([=] {
            install_plain(signal, SIG_IGN);
            CHECK(!arm_guard().failed());
            ::raise(signal);
          }).well());
    CHECK(in_child([=] {
            install_plain(signal, kCounts);
            CHECK(!arm_guard().failed());
            ::raise(signal);
            CHECK(calls == 1);
            install(signal, kCountsToo);
            CHECK(!arm_guard().failed());
            ::raise(signal);
            CHECK(calls == 11);
            CHECK(fixes_up());
          }).well());
  }
}

struct sigaction ours = {};

TEST_ALONE("a handler that calls ours as its previous handler gets each fault once") {
  static volatile int calls = 0;
  constexpr auto kFirst = [](int, siginfo_t*, void*) { ::_exit(calls == 1 ? 42 : 1); };
  constexpr auto kCallsOurs = [](int signal, siginfo_t* info, void* context) {
    calls = calls + 1;
    ours.sa_sigaction(signal, info, context);
  };
  for (bool again : {false, true}) {
    CHECK(in_child([&] {
            install(SIGSEGV, kFirst);
            CHECK(!arm_guard().failed());
            ours = handler_of(SIGSEGV);
            install(SIGSEGV, kCallsOurs);
            if (again) CHECK(!arm_guard().failed());
            read_at(wild());
          }).code == 42);
  }
  // In front of ours it sees faults that are ours, too.
  CHECK(armed([&] {
          Subject subject(1, PROT_READ, kAnonymous);
          ours = handler_of(SIGSEGV);
          install(SIGSEGV, kCallsOurs);
          *static_cast<volatile char*>(subject.at(0)) = 'w';
          CHECK(calls == 1 && subject.counted(FaultKind::kReadOnly, 1, 0, 1));
        }).well());
}

TEST_ALONE("the guard comes back in front where another handler has taken its place") {
  CHECK(in_child([] {
          for (int signal : kSignals) install_plain(signal, SIG_DFL);
          memmap::core::rearm_guard();  // not armed yet: does nothing
          CHECK(handler_of(SIGSEGV).sa_handler == SIG_DFL);
          CHECK(!arm_guard().failed());
          for (int signal : kSignals) install_plain(signal, SIG_DFL);
          memmap::core::rearm_guard();
          CHECK(fixes_up());
        }).well());
}

TEST_ALONE(
    "handlers that come and go for ever are not all remembered, and none is called "
    "twice") {
  CHECK(armed([] {
          for (int i = 0; i < 100; i++) {
            install_plain(SIGSEGV, i % 2 == 0 ? SIG_DFL : SIG_IGN);
            CHECK(!arm_guard().failed());
          }
          CHECK(fixes_up());
          read_at(wild());
        }).signal == SIGSEGV);
}

TEST_ALONE("a fault leaves errno as it was") {
  CHECK(armed([] {
          TemporaryFile file(page_size(), 'f');
          Subject lost(1, PROT_READ, MAP_SHARED, file.fd());
          CHECK(::unlink(file.path()) == 0);
          CHECK(::ftruncate(file.fd(), 0) == 0);
          errno = 1234;
          read_at(lost.at(0));
          CHECK(errno == 1234 && lost.all() == 1);
        }).well());
}

TEST_ALONE("a process without a descriptor left has its faults fixed up") {
  CHECK(armed([] {
          TemporaryFile file(2 * page_size(), 'f');
          Subject lost(2, PROT_READ, MAP_SHARED, file.fd());
          CHECK(::ftruncate(file.fd(), 0) == 0);
          const rlimit none = {3, 3};
          CHECK(::setrlimit(RLIMIT_NOFILE, &none) == 0);
          CHECK(::open("/dev/null", O_RDONLY) == -1 && errno == EMFILE);
          CHECK(read_at(lost.at(1)) == 0);
          CHECK(lost.counted(FaultKind::kTruncated, 1, 0, 2));
        }).well());
}

TEST_ALONE("a guard that is turned off before the first map leaves signals alone") {
  CHECK(memmap::core::guard_enabled() && memmap::core::disable_guard());
  CHECK(!memmap::core::guard_enabled());
  CHECK(!arm_guard().failed());
  for (int signal : kSignals) CHECK(handler_of(signal).sa_handler == SIG_DFL);
  CHECK(memmap::core::disable_guard());  // it is off already
  CHECK(in_child([] { static_cast<void>(fixes_up()); }).signal == SIGBUS);
}

TEST_ALONE("a guard that is armed cannot be turned off") {
  CHECK(!arm_guard().failed());
  CHECK(!memmap::core::disable_guard());
  CHECK(memmap::core::guard_enabled() && fixes_up());
}

TEST_ALONE("who waits for faults is woken once for all that have come") {
  CHECK(in_child([] {
          CHECK(!arm_guard().failed());
          CHECK(fixes_up());  // two faults
          memmap::core::wait_for_fault_news();
          std::atomic<bool> faulting = false;
          std::thread waiting([&] {
            memmap::core::wait_for_fault_news();
            CHECK(faulting);
          });
          ::usleep(50'000);  // it sleeps by then
          faulting = true;
          CHECK(fixes_up());
          waiting.join();
        }).well());
}

}  // namespace
