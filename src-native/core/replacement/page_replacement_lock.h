// The page replacement lock: who holds it may look at what stands at addresses of ours
// and put something else there. One for the process, because it is addresses that are
// replaced, whatever mapping they belong to; the kernel runs such calls one by one
// anyway.
//
// Everyone who replaces takes it: the guard's handler, a map into a range, vacate, remap,
// protect, close. The table of extents is read and changed under it, too.
//
// A thread that holds it touches no mapped page, so that it meets no fault the guard
// would answer for. Async-signal-safe: no allocation, no call but futex(2).
#pragma once

namespace memmap::core {

class PageReplacementLock {
 public:
  struct ForHandler {};

  // Waits until it is free. A thread that holds it already goes on, and gives it back
  // with the last of its objects.
  PageReplacementLock() : held_(enter(true)) {}
  // As above, but not held() if this thread holds it already: a fault of the code under
  // the lock is nobody's to answer for.
  explicit PageReplacementLock(ForHandler) : held_(enter(false)) {}
  ~PageReplacementLock() { leave(); }
  PageReplacementLock(const PageReplacementLock&) = delete;
  PageReplacementLock& operator=(const PageReplacementLock&) = delete;

  bool held() const { return held_; }
  // Gives it back early.
  void leave();

 private:
  static bool enter(bool again);

  bool held_;
};

}  // namespace memmap::core
