#include "core/guard/previous_handlers.h"

#include <unistd.h>

#include <cerrno>

#include "core/guard/guard_copies.h"
#include "core/page.h"
#include "sys/memory.h"
#include "sys/signal.h"

namespace memmap::core {
namespace {

// No instruction raises it again when the handler returns.
bool came_from_elsewhere(int signal, const siginfo_t& info) {
  return info.si_code <= 0 || (signal == SIGBUS && info.si_code == BUS_MCEERR_AO);
}

// A library that was unloaded may have left its handler behind.
bool is_loaded(const struct sigaction& action) {
  const auto address = reinterpret_cast<uintptr_t>(action.sa_handler);
  if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) return true;
  unsigned char resident = 0;
  void* page = reinterpret_cast<void*>(round_down(address, page_size()));
  return sys::mincore(page, 1, &resident).value != ENOMEM;
}

// Whether the access that faulted would succeed now.
bool would_succeed(int signal, const siginfo_t& info, const void* context) {
  const bool of_memory = signal == SIGBUS
                             ? info.si_code == BUS_ADRERR
                             : info.si_code == SEGV_MAPERR || info.si_code == SEGV_ACCERR;
  if (!of_memory || sys::fault_is_fetch(context, info.si_addr)) return false;
  if (sys::fault_access(context) != sys::Access::kRead)
    return sys::writable(info.si_addr);
  const auto address = reinterpret_cast<uintptr_t>(info.si_addr);
  return sys::readable(reinterpret_cast<const void*>(round_down(address, 8)));
}

struct sigaction action_in_place(int signal) {
  struct sigaction now = {};
  static_cast<void>(sys::sigaction(signal, nullptr, &now));
  return now;
}

}  // namespace

void PreviousHandlers::note_runtime(const struct sigaction& action) {
  if (has_runtime_.load(std::memory_order_relaxed)) return;
  runtime_ = action;
  has_runtime_.store(true, std::memory_order_release);
}

int PreviousHandlers::note(const struct sigaction& action) {
  const int place = (front_ + 1) % kPlaces;
  const SignalHandler handler = informed_handler(action);
  int below = front_;
  for (int steps = 1; below != kNowhere && below != place && steps < kPlaces; ++steps) {
    Place& older = places_[below];
    if (handler != nullptr && informed_handler(older.action) == handler)
      older.superseded = true;
    below = older.before;
  }
  Place& noted = places_[place];
  noted.action = action;
  noted.before = front_;
  noted.spent.store(false, std::memory_order_relaxed);
  // Whoever is asked for this place has seen the guard's handler of it installed.
  noted.superseded.store(false, std::memory_order_release);
  front_ = place;
  return place;
}

bool PreviousHandlers::asked_itself(const Place& place, const Request& request) const {
  const SignalHandler handler = informed_handler(place.action);
  if (handler == nullptr) return false;
  if (handler == informed_handler(action_in_place(signal_))) return true;
  // A handler that jumped out has left its request, but never below this one.
  return place.info.load(std::memory_order_relaxed) == request.info &&
         place.frame.load(std::memory_order_relaxed) > request.frame;
}

int PreviousHandlers::standing(int place, const Request* request) const {
  for (int steps = 0; place != kNowhere && steps < kPlaces; ++steps) {
    const Place& asked = places_[place];
    const bool skip = asked.superseded.load(std::memory_order_acquire) ||
                      (request != nullptr && asked_itself(asked, *request));
    if (!skip && is_loaded(asked.action)) return place;
    place = asked.before;
  }
  return kNowhere;
}

bool PreviousHandlers::passes_on(int place, SignalHandler handler) const {
  const int stands = standing(place, nullptr);
  if (stands == kNowhere) return false;
  const SignalHandler next = informed_handler(places_[stands].action);
  return next != nullptr && (next == handler || copy_passes_on(signal_, next, handler));
}

void PreviousHandlers::pass_on(int place, siginfo_t* info, void* context) {
  const bool fault = !came_from_elsewhere(signal_, *info);
  const Request request = {info, reinterpret_cast<uintptr_t>(__builtin_frame_address(0))};
  const int stands = standing(place, &request);
  bool spent = false;
  if (stands != kNowhere) {
    Place& asked = places_[stands];
    const struct sigaction& action = asked.action;
    const bool once = (action.sa_flags & static_cast<int>(SA_RESETHAND)) != 0;
    spent = once && asked.spent.exchange(true);
    const bool ignored = action.sa_handler == SIG_IGN;
    if (!fault && ignored && !spent) return;
    if (action.sa_handler != SIG_DFL && !ignored && !spent) {
      const auto installed = action_in_place(signal_).sa_handler;
      asked.frame.store(request.frame, std::memory_order_relaxed);
      asked.info.store(info, std::memory_order_relaxed);
      call(action, info, context);
      asked.info.store(nullptr, std::memory_order_relaxed);
      if (!fault || informed_handler(action) != nullptr) return;
      // A plain handler of a fault. Without the guard the instruction would run again,
      // perhaps for ever: libuv's, behind process.on(), does no more than note the
      // number.
      if (action_in_place(signal_).sa_handler != installed) return;
      if (would_succeed(signal_, *info, context)) return;
    }
  }
  // The kernel kills for a fault that is ignored, too.
  if (fault && !spent && has_runtime_.load(std::memory_order_acquire)) {
    return call(runtime_, info, context);
  }
  die(*info);
}

void PreviousHandlers::call(const struct sigaction& action, siginfo_t* info,
                            void* context) const {
  sys::SignalMask mask = sys::interrupted_mask(context) | sys::mask_of(action.sa_mask);
  if ((action.sa_flags & SA_NODEFER) == 0) mask |= sys::SignalMask{1} << (signal_ - 1);
  sys::SignalMask guards = 0;
  static_cast<void>(sys::rt_sigprocmask(SIG_SETMASK, &mask, &guards));
  if (const SignalHandler handler = informed_handler(action); handler != nullptr) {
    handler(signal_, info, context);
  } else {
    action.sa_handler(signal_);
  }
  static_cast<void>(sys::rt_sigprocmask(SIG_SETMASK, &guards, nullptr));
}

// What is sent stays pending until the guard's handler, which blocks it, returns.
void PreviousHandlers::die(const siginfo_t& info) const {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  static_cast<void>(sys::sigaction(signal_, &action, nullptr));
  if (!came_from_elsewhere(signal_, info)) return;
  static_cast<void>(sys::rt_tgsigqueueinfo(::getpid(), sys::gettid(), signal_, info));
}

}  // namespace memmap::core
