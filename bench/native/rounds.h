// The runner's protocol: a line on stdin asks for a round, a line of JSON answers.
#pragma once

#include <cstdio>
#include <ctime>

namespace bench {

inline double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// `round` returns the value that all cases of the question must agree on.
template <typename Round>
void serve(double operations, Round round) {
  std::puts("{}");
  std::fflush(stdout);
  for (char line[64]; std::fgets(line, sizeof line, stdin) != nullptr;) {
    const double start = now();
    const long long value = round();
    std::printf("{\"ns\":%.3f,\"value\":\"%lld\"}\n", (now() - start) / operations,
                value);
    std::fflush(stdout);
  }
}

}  // namespace bench
