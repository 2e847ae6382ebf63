#include "core/guard.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

#include "core/closed_pages.h"
#include "core/mend.h"
#include "core/vma.h"
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

// Faults that are being passed on, so that a handler that calls us in turn, as its own
// predecessor, does not go round for ever.
struct Passing {
  std::atomic<pid_t> thread;
  std::atomic<void*> address;
};
Passing passing[16] = {};

class PassOn {
 public:
  explicit PassOn(void* address) {
    const pid_t self = sys::gettid();
    for (Passing& entry : passing) {
      const pid_t thread = entry.thread.load(std::memory_order_acquire);
      if (thread == self && entry.address.load(std::memory_order_relaxed) == address) {
        again_ = true;
        return;
      }
    }
    for (Passing& entry : passing) {
      pid_t nobody = 0;
      if (!entry.thread.compare_exchange_strong(nobody, self)) continue;
      entry.address.store(address, std::memory_order_relaxed);
      mine_ = &entry;
      return;
    }
  }
  PassOn(const PassOn&) = delete;
  PassOn& operator=(const PassOn&) = delete;
  ~PassOn() {
    if (mine_ != nullptr) mine_->thread.store(0, std::memory_order_release);
  }
  bool again() const { return again_; }

 private:
  Passing* mine_ = nullptr;
  bool again_ = false;
};

// A signal that somebody sent: for the last who asked for it.
void pass_on_sent(int signal, siginfo_t* info, void* context) {
  const Predecessors& known = predecessors(signal);
  const int count = known.count.load(std::memory_order_acquire);
  if (count == 0) return die_on_return(signal);
  const struct sigaction& last = known.actions[count - 1];
  if (takes_info(last)) return last.sa_sigaction(signal, info, context);
  if (last.sa_handler == SIG_IGN) return;
  if (last.sa_handler != SIG_DFL) return last.sa_handler(signal);
  die_on_return(signal);
  static_cast<void>(sys::tgkill(::getpid(), sys::gettid(), signal));
}

// A fault: only a handler that learns the address can do anything about it. One that does
// not, as libuv's behind process.on('SIGSEGV'), would return to the fault for ever.
void pass_on_fault(int signal, siginfo_t* info, void* context) {
  const Predecessors& known = predecessors(signal);
  for (int i = known.count.load(std::memory_order_acquire) - 1; i >= 0; --i) {
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
  switch (mend(describe(signal, info, context))) {
    case Mended::kNot:
      return false;
    case Mended::kAlready:
      return stalls.fetch_add(1, std::memory_order_relaxed) < kMostStalls;
    case Mended::kNow:
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
    const PassOn pass(info->si_addr);
    if (pass.again()) {
      die_on_return(signal);
    } else if (sent) {
      pass_on_sent(signal, info, context);
    } else {
      pass_on_fault(signal, info, context);
    }
  }
  errno = saved;
}

void arm(int signal) {
  struct sigaction now = {};
  if (sys::sigaction(signal, nullptr, &now).failed()) return;
  if (takes_info(now) && now.sa_sigaction == on_signal) return;
  Predecessors& known = predecessors(signal);
  const int count = known.count.load(std::memory_order_relaxed);
  const int at = count < Predecessors::kMost ? count : Predecessors::kMost - 1;
  known.actions[at] = now;
  known.count.store(at + 1, std::memory_order_release);

  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  // NODEFER: a fault while a predecessor runs must reach us too.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  static_cast<void>(sys::sigaction(signal, &action, nullptr));
}

}  // namespace

bool guard_enabled() {
  return state.load(std::memory_order_relaxed) != State::kDisabled;
}

bool disable_guard() {
  State ready = State::kReady;
  state.compare_exchange_strong(ready, State::kDisabled);
  return ready != State::kArmed;
}

void arm_guard() {
  if (!guard_enabled()) return;
  static std::mutex& mutex = *new std::mutex;
  std::lock_guard lock(mutex);
  State ready = State::kReady;
  if (state.compare_exchange_strong(ready, State::kArmed)) {
    make_closed_pages();
    prepare_find_vma();
  }
  if (!guard_enabled()) return;
  arm(SIGBUS);
  arm(SIGSEGV);
}

void rearm_guard() {
  if (state.load(std::memory_order_relaxed) == State::kArmed) arm_guard();
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
