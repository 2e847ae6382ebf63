// The runner's protocol: a line on stdin asks for a round, a line of JSON answers.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace bench {

inline double now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Where the other process of a program sleeps between rounds, so that it costs the other
// cases nothing.
class Gate {
 public:
  Gate() {
    if (pipe(fds_) != 0) std::exit(1);
  }
  void open() {
    if (write(fds_[1], "x", 1) != 1) std::exit(1);
  }
  void wait() {
    char byte = 0;
    if (read(fds_[0], &byte, 1) != 1) std::exit(0);
  }

 private:
  int fds_[2];
};

// `round` returns the value that all cases of the question must agree on. `arrange` comes
// before it, while no clock runs.
template <typename Arrange, typename Round>
void serve(double operations, Arrange arrange, Round round) {
  std::puts("{}");
  std::fflush(stdout);
  for (char line[64]; std::fgets(line, sizeof line, stdin) != nullptr;) {
    arrange();
    const double cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    const double start = now(CLOCK_MONOTONIC);
    const long long value = round();
    const double ns = (now(CLOCK_MONOTONIC) - start) / operations;
    const double cpu_ns = (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / operations;
    std::printf("{\"ns\":%.3f,\"cpuNs\":%.3f,\"value\":\"%lld\"}\n", ns, cpu_ns, value);
    std::fflush(stdout);
  }
}

template <typename Round>
void serve(double operations, Round round) {
  serve(
      operations, [] {}, round);
}

}  // namespace bench
