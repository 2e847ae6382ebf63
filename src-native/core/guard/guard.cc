#include "core/guard/guard.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <utility>

#include "core/extent/closed_pages.h"
#include "core/extent/vma.h"
#include "core/guard/fault_fixup.h"
#include "core/guard/fault_news.h"
#include "core/guard/guard_copies.h"
#include "core/guard/previous_handlers.h"
#include "core/guard/stalls.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/spare_mappings.h"
#include "core/replacement/stash.h"
#include "core/thread.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "sys/signal.h"

namespace memmap::core {
namespace {

enum class State : int { kReady, kArmed, kDisabled };
std::atomic<State> state = State::kReady;

PreviousHandlers before_bus{SIGBUS};
PreviousHandlers before_segv{SIGSEGV};

PreviousHandlers& before(int signal) {
  return signal == SIGBUS ? before_bus : before_segv;
}

Stalls stalls;

Fault describe(int signal, const siginfo_t& info, const void* context) {
  Fault fault = {};
  fault.address = reinterpret_cast<uintptr_t>(info.si_addr);
  fault.signal = signal;
  fault.code = info.si_code;
  fault.lsb = static_cast<unsigned>(info.si_addr_lsb);
  fault.access = sys::fault_access(context);
  fault.fetch = sys::fault_is_fetch(context, info.si_addr);
  return fault;
}

// Whether the access may be tried again.
bool help(int signal, const siginfo_t& info, const void* context) {
  // Other threads are faster now and then; a fault that always comes back is a bug.
  constexpr uint32_t kMostStalls = 100'000;
  const Fault fault = describe(signal, info, context);
  switch (fix_up(fault)) {
    case Fixup::kNot:
      return false;
    case Fixup::kAlready:
      return stalls.again(fault.address) <= kMostStalls;
    case Fixup::kNow:
      break;
  }
  stalls.end();
  post_fault_news();
  return true;
}

void on_signal(int place, int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const bool sent = info->si_code <= 0;  // by kill(2) and its kin
  if (sent || !help(signal, *info, context)) {
    errno = saved;
    before(signal).pass_on(place, info, context);
  }
  errno = saved;
}

template <int kPlace>
void on_signal_at(int signal, siginfo_t* info, void* context) {
  on_signal(kPlace, signal, info, context);
}

// The handlers of the guard, by place.
constexpr auto handlers = []<int... kPlace>(std::integer_sequence<int, kPlace...>) {
  return std::array<SignalHandler, sizeof...(kPlace)>{on_signal_at<kPlace>...};
}
(std::make_integer_sequence<int, PreviousHandlers::kPlaces>());

// -1: not the guard's.
int place_of(SignalHandler handler) {
  const auto* found = std::find(handlers.begin(), handlers.end(), handler);
  return handler == nullptr || found == handlers.end()
             ? -1
             : static_cast<int>(found - handlers.begin());
}

// Held while previous handlers are noted.
std::mutex& arming() {
  static std::mutex& mutex = *new std::mutex;
  return mutex;
}

// A handler of another copy of this package that has been in front of ours and asks it.
// What it passes on to stays the same for good.
struct Asker {
  SignalHandler handler;
  int place;  // of ours
};
Asker asker_bus = {};
Asker asker_segv = {};

// If copies went in front of each other with each map, the row would grow for ever.
bool asks_ours(int signal, const struct sigaction& now) {
  const int place = before(signal).front();
  const SignalHandler handler = informed_handler(now);
  if (handler == nullptr || place < 0) return false;
  Asker& asker = signal == SIGBUS ? asker_bus : asker_segv;
  if (asker.handler == handler && asker.place == place) return true;
  if (!copy_passes_on(signal, handler, handlers[static_cast<size_t>(place)]))
    return false;
  asker = {handler, place};
  return true;
}

// Puts the handler of a place in front; what it finds there comes back in `found`.
void install(int signal, int place, struct sigaction& found) {
  const struct sigaction& previous = before(signal).at(place);
  const bool none = previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN;
  struct sigaction action = {};
  action.sa_sigaction = handlers[static_cast<size_t>(place)];
  // Whoever is called in turn has said whether system calls are to be interrupted.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  action.sa_flags |= none ? SA_RESTART : previous.sa_flags & SA_RESTART;
  // No other handler runs while ours holds what it must let go of: it could fault, too. A
  // fault of ours itself, at the end of its stack say, ends the process: it is blocked.
  ::sigfillset(&action.sa_mask);
  static_cast<void>(sys::sigaction(signal, &action, &found));
}

void arm(int signal) {
  struct sigaction now = {};
  if (sys::sigaction(signal, nullptr, &now).failed()) return;
  PreviousHandlers& previous = before(signal);
  int place = place_of(informed_handler(now));
  if (place >= 0) return previous.found(place);
  if (asks_ours(signal, now)) return;
  struct sigaction found = {};
  do {
    place = previous.note(now);
    install(signal, place, found);
    // Another's, installed meanwhile, is noted as well.
    std::swap(now, found);
  } while (now.sa_handler != found.sa_handler && place_of(informed_handler(now)) < 0);
}

void note_runtime(int signal, const void* runtime) {
  struct sigaction now = {};
  if (sys::sigaction(signal, nullptr, &now).failed()) return;
  if (informed_handler(now) == nullptr) return;
  Dl_info handlers_file = {};
  Dl_info runtimes_file = {};
  if (::dladdr(reinterpret_cast<void*>(now.sa_sigaction), &handlers_file) == 0) return;
  if (::dladdr(runtime, &runtimes_file) == 0) return;
  if (handlers_file.dli_fbase == runtimes_file.dli_fbase)
    before(signal).note_runtime(now);
}

}  // namespace

sys::Errno missing_of_guard() {
  if (state.load(std::memory_order_acquire) == State::kArmed) return {};
  if (auto memfd = sys::memfd_create("memmap-probe", MFD_CLOEXEC); !memfd) {
    return {kNoClosedPages + memfd.error().value};
  }
  // Kept: whoever asks what is mapped wants it, too.
  sys::Errno error = prepare_find_vma();
  return error.failed() ? sys::Errno{kNoProc + error.value} : error;
}

bool guard_enabled() { return state.load(std::memory_order_relaxed) != State::kDisabled; }

bool disable_guard() {
  State ready = State::kReady;
  state.compare_exchange_strong(ready, State::kDisabled);
  return ready != State::kArmed;
}

void note_previous_handlers(const void* runtime) {
  std::lock_guard lock(arming());
  note_runtime(SIGBUS, runtime);
  note_runtime(SIGSEGV, runtime);
}

sys::Errno prepare_guard() {
  if (state.load(std::memory_order_acquire) != State::kReady) return {};
  std::lock_guard lock(arming());
  if (sys::Errno error = prepare_closed_pages(); error.failed()) {
    return {kNoClosedPages + error.value};
  }
  if (sys::Errno error = prepare_find_vma(); error.failed()) {
    return {kNoProc + error.value};
  }
  const PageReplacementLock pages;
  if (sys::Errno error = prepare_stash(); error.failed()) return error;
  fill_spares();
  State ready = State::kReady;
  state.compare_exchange_strong(ready, State::kArmed);
  return {};
}

sys::Errno arm_guard() {
  if (sys::Errno error = prepare_guard(); error.failed()) return error;
  if (!guard_enabled()) return {};
  std::lock_guard lock(arming());
  arm(SIGBUS);
  arm(SIGSEGV);
  return {};
}

void rearm_guard() {
  if (state.load(std::memory_order_relaxed) != State::kArmed) return;
  std::lock_guard lock(arming());
  arm(SIGBUS);
  arm(SIGSEGV);
}

namespace {

constexpr timespec kBetweenLooks = {0, 50'000'000};
std::atomic<bool> is_told = false;
std::atomic<bool> is_watched = false;

void watch(void*) {
  while (!is_told.load(std::memory_order_relaxed)) {
    static_cast<void>(::nanosleep(&kBetweenLooks, nullptr));
    rearm_guard();
  }
  is_watched.store(false, std::memory_order_relaxed);
}

}  // namespace

sys::Errno watch_handlers(bool told) {
  if (told) is_told.store(true, std::memory_order_relaxed);
  if (is_told.load(std::memory_order_relaxed)) return {};
  if (is_watched.exchange(true, std::memory_order_relaxed)) return {};
  const sys::Errno error = start_thread("memmap-handlers", watch, nullptr);
  if (error.failed()) is_watched.store(false, std::memory_order_relaxed);
  return error;
}

}  // namespace memmap::core

// For other copies: core/guard_copies.cc.
extern "C" __attribute__((visibility("default"))) bool memmap_guard_1_passes_on(
    int signal, memmap::core::SignalHandler from, memmap::core::SignalHandler to) {
  const int place = memmap::core::place_of(from);
  return place >= 0 && memmap::core::before(signal).passes_on(place, to);
}
