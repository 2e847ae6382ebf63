// Handlers that come and go before and after the guard, and ask each other.
#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <initializer_list>

#include "check.h"
#include "core/guard/guard.h"
#include "core/page.h"
#include "handlers.h"

namespace {

using memmap::core::arm_guard;
using memmap::core::page_size;
using memmap::test::Call;
using memmap::test::does;
using memmap::test::Does;
using memmap::test::install;
using memmap::test::note;
using memmap::test::plain;
using memmap::test::read_at;
using memmap::test::Record;
using memmap::test::recorded;
using memmap::test::set;
using memmap::test::wild;

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

TEST_ALONE(
    "an installation with SA_RESETHAND is called once, however often the guard is "
    "armed") {
  const Record spent = recorded([] {
    does = Does::kReturn;
    install(SIGSEGV, SA_SIGINFO | static_cast<int>(SA_RESETHAND));
    static_cast<void>(arm_guard());
    ::raise(SIGSEGV);
    static_cast<void>(arm_guard());
    set(SIGSEGV, SIG_IGN);
    static_cast<void>(arm_guard());
    read_at(wild());
  });
  CHECK(spent.count == 1 && spent.end.signal == SIGSEGV);
  const Record again = recorded([] {
    does = Does::kReturn;
    for (int i = 0; i < 2; i++) {
      install(SIGSEGV, SA_SIGINFO | static_cast<int>(SA_RESETHAND));
      static_cast<void>(arm_guard());
      ::raise(SIGSEGV);
    }
    read_at(wild());
  });
  CHECK(again.count == 2 && again.end.signal == SIGSEGV);
}

TEST_ALONE("any number of installations with SA_RESETHAND are called, each once") {
  static volatile int times = 0;
  CHECK(recorded([] {
          for (int i = 1; i <= 200; i++) {
            struct sigaction action = {};
            action.sa_handler = [](int) { times = times + 1; };
            action.sa_flags = static_cast<int>(SA_RESETHAND);
            ::sigaction(SIGBUS, &action, nullptr);
            static_cast<void>(arm_guard());
            ::raise(SIGBUS);
            CHECK(times == i);
          }
        }).end.well());
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
                static_cast<void>(arm_guard());
                Second::install();
              }),
              {2, 1}));
  CHECK(calls(crashed([] {
                First::install();
                static_cast<void>(arm_guard());
                Second::install();
                static_cast<void>(arm_guard());
              }),
              {2, 1}));
}

TEST_ALONE("a handler that is installed again, over the guard, is called once") {
  for (bool armed_again : {false, true}) {
    CHECK(calls(crashed([=] {
                  First::install();
                  static_cast<void>(arm_guard());
                  First::install();
                  if (armed_again) static_cast<void>(arm_guard());
                }),
                {1}));
    CHECK(calls(crashed([=] {
                  First::install();
                  static_cast<void>(arm_guard());
                  Second::install();
                  static_cast<void>(arm_guard());
                  for (int i = 0; i < 100; i++) {
                    First::install();
                    static_cast<void>(arm_guard());
                    Second::install();
                    if (armed_again || i < 99) static_cast<void>(arm_guard());
                  }
                }),
                {2, 1}));
  }
}

TEST_ALONE("handlers that were installed again unnoticed do not go round") {
  CHECK(calls(crashed([] {
                First::install();
                static_cast<void>(arm_guard());
                First::install();
                Second::install();
              }),
              {2, 1, 1}));
  CHECK(calls(crashed([] {
                First::install();
                static_cast<void>(arm_guard());
                Second::install();
                First::install();
              }),
              {1, 2}));
}

TEST_ALONE("a handler that was uninstalled is not called") {
  for (bool armed_between : {false, true}) {
    CHECK(calls(crashed([=] {
                  First::install();
                  static_cast<void>(arm_guard());
                  Second::install();
                  if (armed_between) static_cast<void>(arm_guard());
                  Second::uninstall();
                  static_cast<void>(arm_guard());
                }),
                {1}));
    CHECK(calls(crashed([=] {
                  First::install();
                  static_cast<void>(arm_guard());
                  First::uninstall();
                  if (armed_between) static_cast<void>(arm_guard());
                }),
                {}));
  }
}

// A handler that stays when its library goes.
void install_and_unload() {
#if defined(__x86_64__)
  const unsigned char returns[] = {0xc3};
#elif defined(__aarch64__)
  const unsigned char returns[] = {0xc0, 0x03, 0x5f, 0xd6};
#endif
  void* code = ::mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, kAnonymous, -1, 0);
  std::memcpy(code, returns, sizeof returns);
  ::mprotect(code, page_size(), PROT_READ | PROT_EXEC);
  struct sigaction action = {};
  action.sa_sigaction = reinterpret_cast<void (*)(int, siginfo_t*, void*)>(code);
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
  static_cast<void>(arm_guard());
  ::munmap(code, page_size());
}

TEST_ALONE("a handler whose library is gone is passed over: to the one before it") {
  CHECK(calls(crashed([] {
                First::install();
                static_cast<void>(arm_guard());
                install_and_unload();
              }),
              {1}));
  // Not to one that was uninstalled.
  CHECK(calls(crashed([] {
                First::install();
                static_cast<void>(arm_guard());
                Second::install();
                static_cast<void>(arm_guard());
                Second::uninstall();
                static_cast<void>(arm_guard());
                install_and_unload();
              }),
              {1}));
}

TEST_ALONE(
    "the runtime's handler is asked where a plain one, SIG_DFL or SIG_IGN took its "
    "place") {
  for (void (*handler)(int) : {+plain, SIG_DFL, SIG_IGN}) {
    for (bool engine_owned : {false, true}) {
      const Record seen = recorded([=] {
        does = Does::kReturn;
        First::install();
        // Of the file that holds the handler, or of another.
        memmap::core::note_previous_handlers(engine_owned
                                                 ? reinterpret_cast<const void*>(&note)
                                                 : ::dlsym(RTLD_DEFAULT, "getpid"));
        set(SIGSEGV, handler);
        static_cast<void>(arm_guard());
        read_at(wild());
      });
      const int asked = handler == +plain ? 1 : 0;
      CHECK(seen.end.signal == SIGSEGV && seen.count == asked + (engine_owned ? 1 : 0));
      CHECK(!engine_owned || seen.calls[asked].handler == 1);
    }
  }
}

}  // namespace
