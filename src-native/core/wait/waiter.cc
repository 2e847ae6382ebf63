#include "core/wait/waiter.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <vector>

#include "core/thread.h"
#include "sys/futex.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;
using Clock = std::chrono::steady_clock;

// How often words are looked at that the thread cannot sleep on: there are more than
// futex_waitv(2) takes, or the kernel has no such call.
constexpr auto kLook = std::chrono::milliseconds(2);

timespec timespec_of(Clock::duration time) {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
  return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

class Waiter {
 public:
  static Waiter& instance() {
    static Waiter& waiter = *new Waiter;  // its thread outlives static destructors
    return waiter;
  }

  Result<uint64_t> start(Wait wait) {
    std::lock_guard lock(mutex_);
    if (!runs_) {
      const Errno error = start_thread("memmap-waiter", &Waiter::enter, this);
      if (error.failed()) return error;
      runs_ = true;
    }
    const uint64_t id = next_id_++;
    waits_.emplace(id, Entry{std::move(wait), false});
    nudge();
    return id;
  }

  void heard(uint64_t id) {
    std::lock_guard lock(mutex_);
    const auto found = waits_.find(id);
    if (found != waits_.end()) found->second.told = false;
  }

  bool cancel(const void* listener, uint64_t id, bool stays) {
    std::lock_guard lock(mutex_);
    const auto found = waits_.find(id);
    if (found == waits_.end()) return false;
    if (found->second.listener != listener || found->second.stays != stays) return false;
    waits_.erase(found);
    return true;
  }

  void cancel_all(const void* listener) {
    std::lock_guard lock(mutex_);
    std::erase_if(waits_,
                  [&](const auto& one) { return one.second.listener == listener; });
  }

 private:
  struct Entry : Wait {
    bool told = false;  // of one that stays: done was called, and is not heard yet
  };

  static void enter(void* self) { static_cast<Waiter*>(self)->run(); }

  // Has the thread look at the list again.
  void nudge() {
    news_.fetch_add(1);
    static_cast<void>(sys::futex_wake(&news_, 1));
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      const uint64_t woken = sleep(lock);
      sweep(woken);
    }
  }

  // Sleeps, unlocked, until there may be something to do. The id of the wait that was
  // woken, or 0.
  uint64_t sleep(std::unique_lock<std::mutex>& lock) {
    words_.clear();
    ids_.clear();
    held_.clear();
    add_word(&news_, news_.load(), 0);
    auto deadline = Clock::time_point::max();
    // From where the last round left off: each word gets its turn.
    auto next = waits_.lower_bound(first_);
    for (size_t i = 0; i < waits_.size(); ++i, ++next) {
      if (next == waits_.end()) next = waits_.begin();
      deadline = std::min(deadline, next->second.deadline);
      if (words_.size() == sys::kFutexWaitvMax) continue;
      add_word(next->second.word, next->second.expected, next->first);
      held_.push_back(next->second.range);
      first_ = next->first + 1;
    }
    const auto now = Clock::now();
    if (words_.size() - 1 < waits_.size()) deadline = std::min(deadline, now + kLook);
    lock.unlock();
    const uint64_t woken = sleep_until(deadline, now);
    held_.clear();
    lock.lock();
    return woken;
  }

  void add_word(const void* word, uint32_t expected, uint64_t id) {
    words_.push_back({expected, reinterpret_cast<uintptr_t>(word), sys::kFutex32, 0});
    ids_.push_back(id);
  }

  uint64_t sleep_until(Clock::time_point deadline, Clock::time_point now) {
    const bool ends = deadline != Clock::time_point::max();
    if (waits_together_) {
      const timespec at = timespec_of(deadline.time_since_epoch());
      Result<int> index = sys::futex_waitv(
          words_.data(), static_cast<unsigned>(words_.size()), ends ? &at : nullptr);
      if (index) return ids_[static_cast<size_t>(*index)];
      // EPERM: a filter of system calls that does not know it.
      if (index.error().value != ENOSYS && index.error().value != EPERM) return 0;
      waits_together_ = false;
    }
    // News alone, or a lone word, is slept on; of what else there is one hears by
    // looking.
    const bool idle = words_.size() == 1;
    const bool lone = words_.size() == 2;
    const auto& word = words_[lone ? 1 : 0];
    const timespec time = timespec_of(
        std::clamp(deadline - now, Clock::duration::zero(), Clock::duration(kLook)));
    Errno error =
        sys::futex_wait(reinterpret_cast<const void*>(word.word),
                        static_cast<uint32_t>(word.value), idle ? nullptr : &time);
    return error.failed() ? 0 : ids_[lone ? 1 : 0];
  }

  // Ends the waits that are over, and tells of the changes to those that stay.
  void sweep(uint64_t woken) {
    const auto now = Clock::now();
    for (auto next = waits_.begin(); next != waits_.end();) {
      auto& [id, wait] = *next;
      if (wait.stays) {
        tell_change(id, wait);
        ++next;
      } else if (id == woken || wait.deadline <= now || differs(wait)) {
        wait.done(wait.listener, id);
        next = waits_.erase(next);
      } else {
        ++next;
      }
    }
  }

  static void tell_change(uint64_t id, Entry& wait) {
    const uint32_t value = load(static_cast<const uint32_t*>(wait.word));
    if (value == wait.expected) return;
    wait.expected = value;
    if (wait.told) return;
    wait.told = true;
    wait.done(wait.listener, id);
  }

  // Whoever shares the file may have cut it off under the word.
  static uint32_t load(const uint32_t* word) {
    const FaultsLetThrough faults;
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
  }

  // By asking the kernel: the word may lie in memory that is gone. A wake-up that comes
  // in this moment is taken, and told like any other.
  static bool differs(const Wait& wait) {
    const timespec none = {};
    return sys::futex_wait(wait.word, wait.expected, &none).value != ETIMEDOUT;
  }

  std::mutex mutex_;
  std::map<uint64_t, Entry> waits_;  // guarded by mutex_
  uint64_t next_id_ = 1;             // likewise
  bool runs_ = false;                // likewise
  std::atomic<uint32_t> news_ = 0;

  // Of the thread alone.
  uint64_t first_ = 0;
  bool waits_together_ = true;
  std::vector<sys::FutexWaitv> words_;
  std::vector<uint64_t> ids_;
  std::vector<std::shared_ptr<AddressRange>> held_;
};

}  // namespace

Result<uint64_t> start_wait(Wait wait) {
  return Waiter::instance().start(std::move(wait));
}

void heard_wait(uint64_t id) { Waiter::instance().heard(id); }

bool cancel_wait(const void* listener, uint64_t id, bool stays) {
  return Waiter::instance().cancel(listener, id, stays);
}

void cancel_waits(const void* listener) { Waiter::instance().cancel_all(listener); }

}  // namespace memmap::core
