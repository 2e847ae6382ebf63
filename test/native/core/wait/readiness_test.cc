#include "core/wait/readiness.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "sys/fd.h"

namespace {

using memmap::core::arm;
using memmap::core::disarm;
using memmap::core::open_readiness;
using memmap::core::wait_for_readiness;
using memmap::sys::UniqueFd;

struct Pair {
  UniqueFd left;
  UniqueFd right;

  Pair() {
    int fds[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return;
    left = UniqueFd(fds[0]);
    right = UniqueFd(fds[1]);
  }
};

// The token of the one thing that is ready; 0 if it is not one.
uint64_t next() {
  epoll_event events[8];
  memmap::sys::Result<int> count = wait_for_readiness(events);
  return count && *count == 1 ? events[0].data.u64 : 0;
}

}  // namespace

TEST("readiness: a descriptor reports once for each time it is armed") {
  CHECK(!open_readiness().failed() && !open_readiness().failed());
  const Pair one;
  const Pair two;
  CHECK(!arm(one.left.get(), 1, EPOLLIN).failed());
  CHECK(!arm(two.left.get(), 2, EPOLLIN).failed());
  CHECK(::write(one.right.get(), "x", 1) == 1);
  CHECK(next() == 1);
  // `one` can still be read, but is not armed.
  CHECK(::write(two.right.get(), "x", 1) == 1);
  CHECK(next() == 2);
  CHECK(!arm(one.left.get(), 3, EPOLLIN).failed());
  CHECK(next() == 3);
}

TEST("readiness: what is armed again reports under its last number and events") {
  CHECK(!open_readiness().failed());
  const Pair pair;
  CHECK(!arm(pair.left.get(), 1, EPOLLIN).failed());
  CHECK(!arm(pair.left.get(), 2, EPOLLOUT).failed());
  CHECK(next() == 2);
}

TEST("readiness: an end that closed is reported, and what is disarmed is not") {
  CHECK(!open_readiness().failed());
  Pair pair;
  const Pair quiet;
  CHECK(!arm(quiet.left.get(), 1, EPOLLOUT).failed());
  disarm(quiet.left.get());
  CHECK(!arm(pair.left.get(), 2, EPOLLIN | EPOLLRDHUP).failed());
  pair.right = UniqueFd();
  CHECK(next() == 2);
}

TEST("readiness: a descriptor that cannot be waited for is an error") {
  CHECK(!open_readiness().failed());
  CHECK(arm(-1, 1, EPOLLIN).value == EBADF);
  const UniqueFd folder(::open("/", O_RDONLY | O_CLOEXEC));
  CHECK(arm(folder.get(), 1, EPOLLIN).value == EPERM);
}
