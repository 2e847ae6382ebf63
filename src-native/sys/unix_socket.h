// One function per system call on Unix sockets and on waiting for descriptors: its name,
// no policy. https://man7.org/linux/man-pages/man7/unix.7.html
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "sys/fd.h"
#include "sys/result.h"

namespace memmap::sys {

// The bytes of sun_path: a path without its null, or a null and an abstract name.
struct UnixAddress {
  const char* bytes;
  size_t length;
};

Result<UniqueFd> socket_unix();  // SOCK_STREAM, close-on-exec, non-blocking
Errno bind(int fd, const UnixAddress& address);
Errno listen(int fd, int backlog);
Errno connect(int fd, const UnixAddress& address);
Result<UniqueFd> accept4(int fd);        // close-on-exec, non-blocking
Result<ucred> peer_credentials(int fd);  // getsockopt SO_PEERCRED
// Neither raises SIGPIPE nor blocks.
Result<ssize_t> sendmsg(int fd, const msghdr& message);
Result<ssize_t> recvmsg(int fd, msghdr& message, int flags);
Result<ssize_t> recv(int fd, void* bytes, size_t length, int flags);

Result<UniqueFd> epoll_create();
Errno epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t data);
Result<int> epoll_wait(int epoll, epoll_event* events, int count);  // without a timeout

}  // namespace memmap::sys
