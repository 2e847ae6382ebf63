// A process in which something may end badly.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "check.h"

namespace memmap::test {

// How a process ended: by a signal, or else with a code.
struct End {
  int signal = 0;
  int code = -1;

  bool well() const { return code == 0; }
};

// Runs f in a child. Its exit code is 0 unless a CHECK failed, or f exits by itself; it
// leaves no core, and a test that hangs ends by SIGALRM.
template <typename F>
End in_child(F f) {
  constexpr unsigned kWatchdogSeconds = 60;
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core = {0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::alarm(kWatchdogSeconds);
    f();
    std::fflush(stdout);
    ::_exit(run().failed ? 1 : 0);
  }
  int status = 0;
  End end;
  if (child == -1 || ::waitpid(child, &status, 0) != child) return end;
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
  return end;
}

}  // namespace memmap::test
