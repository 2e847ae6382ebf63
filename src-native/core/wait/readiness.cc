#include "core/wait/readiness.h"

#include <atomic>
#include <mutex>

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

std::mutex opening;
std::atomic<int> instance = -1;  // never closed: the waiting thread outlives everything

}  // namespace

Errno open_readiness() {
  std::lock_guard lock(opening);
  if (instance.load() >= 0) return {};
  Result<sys::UniqueFd> epoll = sys::epoll_create();
  if (!epoll) return epoll.error();
  instance.store(epoll->release());
  return {};
}

Errno arm(int fd, uint64_t token, uint32_t events) {
  events |= EPOLLONESHOT;
  Errno error = sys::epoll_ctl(instance.load(), EPOLL_CTL_MOD, fd, events, token);
  if (error.value != ENOENT) return error;
  return sys::epoll_ctl(instance.load(), EPOLL_CTL_ADD, fd, events, token);
}

void disarm(int fd) {
  static_cast<void>(sys::epoll_ctl(instance.load(), EPOLL_CTL_DEL, fd, 0, 0));
}

Result<int> wait_for_readiness(std::span<epoll_event> events) {
  for (;;) {
    Result<int> ready =
        sys::epoll_wait(instance.load(), events.data(), static_cast<int>(events.size()));
    if (ready || ready.error().value != EINTR) return ready;
  }
}

}  // namespace memmap::core
