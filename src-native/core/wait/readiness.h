// Which descriptors can be read or written without waiting: one epoll instance for the
// process. A descriptor reports once each time it is armed.
//
// Threads: arm() and disarm() from any; wait_for_readiness() from the one that waits.
#pragma once

#include <cstdint>
#include <span>

#include "sys/result.h"
#include "sys/unix_socket.h"

namespace memmap::core {

// Makes the instance. Again: nothing.
sys::Errno open_readiness();

// What `fd` is to report, under the number `token`: EPOLLIN, EPOLLOUT, EPOLLRDHUP.
// Hang-ups and errors it reports always.
sys::Errno arm(int fd, uint64_t token, uint32_t events);

// To be called before `fd` is closed.
void disarm(int fd);

// Blocks until something is ready; how many of `events` are.
sys::Result<int> wait_for_readiness(std::span<epoll_event> events);

}  // namespace memmap::core
