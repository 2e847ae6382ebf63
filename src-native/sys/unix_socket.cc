#include "sys/unix_socket.h"

#include <sys/un.h>

#include <cstring>

namespace memmap::sys {
namespace {

struct Address {
  sockaddr_un name = {};
  socklen_t length = 0;

  explicit Address(const UnixAddress& address) {
    name.sun_family = AF_UNIX;
    if (address.length > sizeof name.sun_path) return;
    // The address of no bytes may be null.
    if (address.length > 0) std::memcpy(name.sun_path, address.bytes, address.length);
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.length);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

Result<UniqueFd> fd_of(int result) {
  if (result == -1) return Errno::last();
  return UniqueFd(result);
}

Result<ssize_t> size_of(ssize_t result) {
  if (result == -1) return Errno::last();
  return result;
}

}  // namespace

Result<UniqueFd> socket_unix() {
  return fd_of(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

Errno bind(int fd, const UnixAddress& address) {
  const Address to(address);
  return errno_of(::bind(fd, to.get(), to.length));
}

Errno listen(int fd, int backlog) { return errno_of(::listen(fd, backlog)); }

Errno connect(int fd, const UnixAddress& address) {
  const Address to(address);
  return errno_of(::connect(fd, to.get(), to.length));
}

Result<UniqueFd> accept4(int fd) {
  return fd_of(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

Result<ucred> peer_credentials(int fd) {
  ucred peer = {};
  socklen_t length = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == -1) {
    return Errno::last();
  }
  return peer;
}

Result<ssize_t> sendmsg(int fd, const msghdr& message) {
  return size_of(::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

Result<ssize_t> recvmsg(int fd, msghdr& message, int flags) {
  return size_of(::recvmsg(fd, &message, flags | MSG_DONTWAIT));
}

Result<ssize_t> recv(int fd, void* bytes, size_t length, int flags) {
  return size_of(::recv(fd, bytes, length, flags | MSG_DONTWAIT));
}

Result<UniqueFd> epoll_create() { return fd_of(::epoll_create1(EPOLL_CLOEXEC)); }

Errno epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = data;
  return errno_of(::epoll_ctl(epoll, operation, fd, &event));
}

Result<int> epoll_wait(int epoll, epoll_event* events, int count) {
  const int ready = ::epoll_wait(epoll, events, count, -1);
  if (ready == -1) return Errno::last();
  return ready;
}

}  // namespace memmap::sys
