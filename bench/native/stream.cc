// stream pipe|socket LENGTH COUNT: messages from one process to another through the
// kernel. A round writes COUNT of them and waits for the last.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "rounds.h"

namespace {

void read_all(int fd, char* to, size_t length) {
  while (length > 0) {
    const ssize_t got = read(fd, to, length);
    if (got <= 0) std::exit(0);
    to += got;
    length -= static_cast<size_t>(got);
  }
}

void write_all(int fd, const char* from, size_t length) {
  while (length > 0) {
    const ssize_t put = write(fd, from, length);
    if (put <= 0) std::exit(1);
    from += put;
    length -= static_cast<size_t>(put);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const bool socket = std::strcmp(argv[1], "socket") == 0;
  const auto length = static_cast<size_t>(std::atol(argv[2]));
  const long count = std::atol(argv[3]);
  int there[2];
  int back[2];
  if (socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, there) != 0 : pipe(there) != 0)
    return 1;
  if (pipe(back) != 0) return 1;
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return 1;
  std::vector<char> message(length, 7);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return 0;
    for (;;) {
      for (long i = 0; i < count; i++) read_all(there[0], message.data(), length);
      write_all(back[1], "x", 1);
    }
  }
  bench::serve(static_cast<double>(count), [&] {
    for (long i = 0; i < count; i++) write_all(there[1], message.data(), length);
    char done = 0;
    read_all(back[0], &done, 1);
    return static_cast<long long>(count);
  });
  kill(child, SIGKILL);
}
