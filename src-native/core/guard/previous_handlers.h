// Whoever handled a signal before the guard did, called as the kernel would have called
// them.
//
// The guard has kPlaces handlers that are alike but for a number, the place. Each is
// installed over an action of somebody else and stands for that one from then on. A
// handler that is installed later, and asks whom it found, asks a place: it gets the
// action from before its own time. So nobody is asked in a circle; and who was
// uninstalled is not called, because nobody who is left knows the place that stands for
// it.
//
// A place that stands for nothing any more is used again after kPlaces others.
//
// Threads: note() and found() under one lock; all else from any thread, and in a signal
// handler.
#pragma once

#include <signal.h>

#include <atomic>
#include <cstdint>

namespace memmap::core {

using SignalHandler = void (*)(int, siginfo_t*, void*);

// Null for SIG_DFL, SIG_IGN and a plain handler, which learns nothing but the number.
inline SignalHandler informed_handler(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 ? action.sa_sigaction : nullptr;
}

class PreviousHandlers {
 public:
  static constexpr int kPlaces = 64;

  // One of each signal, with static storage.
  explicit constexpr PreviousHandlers(int signal) : signal_(signal) {}

  // The runtime installed it before any map. It is asked where SIG_DFL, SIG_IGN or a
  // plain handler took its place: Node's process.on() and off() never put back V8's,
  // which turns faults of WebAssembly into exceptions.
  void note_runtime(const struct sigaction& action);

  // The place that stands for an action that has been found installed.
  int note(const struct sigaction& action);
  // The guard's handler of this place has been found installed: those that were noted
  // later are gone.
  void found(int place) { front_ = place; }
  // The place noted or found last; -1 before the first.
  int front() const { return front_; }

  // What the place stands for.
  const struct sigaction& at(int place) const { return places_[place].action; }
  // Whether `handler` is what a signal gets to from this place without fail.
  bool passes_on(int place, SignalHandler handler) const;

  // Calls what the place stands for. If that is nobody, the process dies of the signal
  // when the guard's handler returns: of a fault where it happens again, of a signal that
  // was sent where it came in. errno is as it was there.
  void pass_on(int place, siginfo_t* info, void* context);

 private:
  static constexpr int kNowhere = -1;

  struct Place {
    struct sigaction action = {};
    int before = kNowhere;  // the place that was in front when this was noted
    // While it is being called: with what, and how far up the stack.
    std::atomic<const siginfo_t*> info = nullptr;
    std::atomic<uintptr_t> frame = 0;
    // The same handler has come again in a later place: this one stands for what
    // `before` stands for. A handler knows only whom it found the last time.
    std::atomic<bool> superseded = false;
    std::atomic<bool> spent = false;  // called, with SA_RESETHAND: SIG_DFL since
  };

  // A call of pass_on.
  struct Request {
    const siginfo_t* info;
    uintptr_t frame;  // where it is on the stack
  };

  // The place whose action is the one to call; kNowhere: nobody is left. `request`: null
  // outside of a handler.
  int standing(int place, const Request* request) const;
  // Whether it was the place's own handler that asked, having been installed again
  // unnoticed: it is in front now, or is being called with this siginfo.
  bool asked_itself(const Place& place, const Request& request) const;
  void call(const struct sigaction& action, siginfo_t* info, void* context) const;
  void die(const siginfo_t& info) const;

  int signal_;
  int front_ = kNowhere;
  struct sigaction runtime_ = {};
  std::atomic<bool> has_runtime_ = false;
  Place places_[kPlaces] = {};
};

}  // namespace memmap::core
