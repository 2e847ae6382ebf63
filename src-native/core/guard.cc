#include "core/guard.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

#include "core/closed_pages.h"
#include "core/fault_fixup.h"
#include "core/page_replacement_lock.h"
#include "core/spare_mappings.h"
#include "core/stash.h"
#include "core/vma.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "sys/signal.h"

namespace memmap::core {
namespace {

enum class State : int { kReady, kArmed, kDisabled };
std::atomic<State> state = State::kReady;

// The handlers that were there when we came, and came again: oldest first. Only appended
// to, so that a handler can read it at any moment.
struct Predecessors {
  static constexpr int kMost = 32;
  struct sigaction actions[kMost];
  std::atomic<int> count;
};
Predecessors before_bus = {};
Predecessors before_segv = {};

Predecessors& predecessors(int signal) {
  return signal == SIGBUS ? before_bus : before_segv;
}

bool takes_info(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction != nullptr;
}

void die_on_return(int signal) {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  static_cast<void>(sys::sigaction(signal, &action, nullptr));
}

// A signal that is being passed on. A handler that calls us in turn, as its own
// predecessor, does it with the same siginfo from further down the stack: then it is the
// turn of the one before it, and nobody goes round for ever.
struct Passing {
  std::atomic<const siginfo_t*> info;
  std::atomic<uintptr_t> frame;
  std::atomic<pid_t> thread;
  std::atomic<int> turn;  // which predecessor has it
};
Passing passing[16] = {};

class PassOn {
 public:
  PassOn(int predecessors, const siginfo_t* info) : turn_(predecessors) {
    const pid_t self = sys::gettid();
    const auto frame = reinterpret_cast<uintptr_t>(this);
    for (Passing& entry : passing) {
      if (entry.thread.load(std::memory_order_acquire) != self) continue;
      if (entry.info.load(std::memory_order_relaxed) != info) continue;
      // Not further down: left over from a handler that jumped out.
      if (frame >= entry.frame.load(std::memory_order_relaxed)) continue;
      entry_ = &entry;
      turn_ = entry.turn.load(std::memory_order_relaxed);
      return;
    }
    for (Passing& entry : passing) {
      pid_t nobody = 0;
      if (!entry.thread.compare_exchange_strong(nobody, self)) continue;
      entry.info.store(info, std::memory_order_relaxed);
      entry.frame.store(frame, std::memory_order_relaxed);
      entry_ = &entry;
      first_ = true;
      return;
    }
  }
  PassOn(const PassOn&) = delete;
  PassOn& operator=(const PassOn&) = delete;
  ~PassOn() {
    if (first_) entry_->thread.store(0, std::memory_order_release);
  }

  // The predecessor whose turn it is now; negative after the oldest.
  int next() {
    turn_ -= 1;
    if (entry_ != nullptr) entry_->turn.store(turn_, std::memory_order_relaxed);
    return turn_;
  }

 private:
  Passing* entry_ = nullptr;
  int turn_;
  bool first_ = false;
};

// A signal that somebody sent: for the last who asked for it.
void pass_on_sent(int signal, siginfo_t* info, void* context) {
  const Predecessors& known = predecessors(signal);
  PassOn pass(known.count.load(std::memory_order_acquire), info);
  const int i = pass.next();
  if (i >= 0) {
    const struct sigaction& last = known.actions[i];
    if (takes_info(last)) return last.sa_sigaction(signal, info, context);
    if (last.sa_handler == SIG_IGN) return;
    if (last.sa_handler != SIG_DFL) return last.sa_handler(signal);
  }
  die_on_return(signal);
  static_cast<void>(sys::tgkill(::getpid(), sys::gettid(), signal));
}

// A fault: only a handler that learns the address can do anything about it. One that does
// not, as libuv's behind process.on('SIGSEGV'), would return to the fault for ever.
void pass_on_fault(int signal, siginfo_t* info, void* context) {
  const Predecessors& known = predecessors(signal);
  PassOn pass(known.count.load(std::memory_order_acquire), info);
  for (int i = pass.next(); i >= 0; i = pass.next()) {
    if (takes_info(known.actions[i])) {
      return known.actions[i].sa_sigaction(signal, info, context);
    }
  }
  die_on_return(signal);
}

std::atomic<int> listener = -1;
std::atomic<uint32_t> stalls = 0;

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
  // Faults that succeed elsewhere at once are rare; a fault that comes back is a bug.
  constexpr uint32_t kMostStalls = 100'000;
  switch (fix_up(describe(signal, info, context))) {
    case Fixup::kNot:
      return false;
    case Fixup::kAlready:
      return stalls.fetch_add(1, std::memory_order_relaxed) < kMostStalls;
    case Fixup::kNow:
      break;
  }
  stalls.store(0, std::memory_order_relaxed);
  const int fd = listener.load(std::memory_order_acquire);
  if (fd >= 0) {
    const uint64_t one = 1;
    static_cast<void>(sys::write(fd, &one, sizeof one));
  }
  return true;
}

void on_signal(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const bool sent = info->si_code <= 0;  // by kill(2) and its kin
  if (sent || !help(signal, *info, context)) {
    if (sent) {
      pass_on_sent(signal, info, context);
    } else {
      pass_on_fault(signal, info, context);
    }
  }
  errno = saved;
}

// Held while predecessors are noted.
std::mutex& arming() {
  static std::mutex& mutex = *new std::mutex;
  return mutex;
}

bool same_handler(const struct sigaction& a, const struct sigaction& b) {
  return takes_info(a) == takes_info(b) && a.sa_handler == b.sa_handler;
}

// Whether the handler that is in place now is another's; it is noted as a predecessor.
bool note_handler(int signal) {
  struct sigaction now = {};
  if (sys::sigaction(signal, nullptr, &now).failed()) return false;
  if (takes_info(now) && now.sa_sigaction == on_signal) return false;
  Predecessors& known = predecessors(signal);
  const int count = known.count.load(std::memory_order_relaxed);
  if (count > 0 && same_handler(known.actions[count - 1], now)) return true;
  const int at = count < Predecessors::kMost ? count : Predecessors::kMost - 1;
  known.actions[at] = now;
  known.count.store(at + 1, std::memory_order_release);
  return true;
}

void arm(int signal) {
  if (!note_handler(signal)) return;
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  // NODEFER: a fault while a predecessor runs must reach us too.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  static_cast<void>(sys::sigaction(signal, &action, nullptr));
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

void meet_predecessors() {
  std::lock_guard lock(arming());
  note_handler(SIGBUS);
  note_handler(SIGSEGV);
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

sys::Errno listen_for_faults() {
  auto made = sys::eventfd(0, EFD_CLOEXEC);
  if (!made) return made.error();
  listener.store(made->release(), std::memory_order_release);
  return {};
}

sys::Errno wait_for_faults() {
  uint64_t count = 0;
  for (;;) {
    auto got = sys::read(listener.load(std::memory_order_acquire), &count, sizeof count);
    if (got) return {};
    if (got.error().value != EINTR) return got.error();
  }
}

}  // namespace memmap::core
