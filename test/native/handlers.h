// Handlers that note what they see, and what a process saw until its end.
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <new>

#include "child.h"
#include "core/guard/guard.h"

namespace memmap::test {

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

inline Record* record = nullptr;

inline uint64_t blocked_now() {
  uint64_t mask = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &mask, sizeof mask);
  return mask;
}

// Notes the call; the process ends where a handler is called for ever.
inline void note(int handler, const siginfo_t* info) {
  if (record->count == Record::kMost) ::_exit(99);
  Call& call = record->calls[record->count++];
  call = {handler, blocked_now(), nullptr, 0, errno};
  if (info == nullptr) return;
  call.code = info->si_code;
  if (info->si_code > 0) call.address = info->si_addr;
}

// An address that nobody has.
inline char* wild() { return reinterpret_cast<char*>(uintptr_t{0x4141'4141'4000}); }

inline char read_at(const void* address) {
  return *static_cast<const volatile char*>(address);
}

enum class Does { kExit, kReturn, kCrash, kJump, kDefault };
inline Does does = Does::kExit;
inline jmp_buf jump;

inline void set(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  ::sigaction(signal, &action, nullptr);
}

inline void act(int signal) {
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

inline void informed(int signal, siginfo_t* info, void*) {
  note(1, info);
  act(signal);
}

inline void plain(int signal) {
  note(2, nullptr);
  act(signal);
}

// With SA_SIGINFO the informed handler, else the plain one.
inline void install(int signal, int flags, bool blocks = false) {
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
      if (guarded) static_cast<void>(core::arm_guard());
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

}  // namespace memmap::test
