// native_tests [part of a name]: runs the tests whose names hold it, and tells failures.
// Those that need a process of their own come first, while this one is still fresh.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "check.h"
#include "child.h"
#include "core/guard/guard.h"

namespace {

using memmap::test::End;
using memmap::test::run;
using memmap::test::Test;

constexpr int kSkipped = 2;

const char* running = "";
constexpr int kCrashes[] = {SIGSEGV, SIGBUS};
struct sigaction previous[2] = {};
int passed = 0;
int failed = 0;
int skipped = 0;

// Names the test that crashes; then whoever had the signal, a sanitizer perhaps, gets it.
// Takes the address of the fault, so that the guard passes faults on to it.
void name_test(int number, siginfo_t*, void*) {
  for (const char* part : {"crashed: ", running, "\n"}) {
    if (::write(STDOUT_FILENO, part, std::strlen(part)) < 0) break;
  }
  ::sigaction(number, &previous[number == SIGSEGV ? 0 : 1], nullptr);
}

void body_of(const Test& test) {
  test.body();
  if (run().failed) {
    std::printf("failed: %s\n", test.name);
  } else if (run().skipped != nullptr) {
    std::printf("skipped: %s: %s\n", test.name, run().skipped);
  }
}

void run_alone(const Test& test) {
  const End end = memmap::test::in_child([&test] {
    body_of(test);
    std::fflush(stdout);
    if (!run().failed && run().skipped != nullptr) ::_exit(kSkipped);
  });
  if (end.code == 0) {
    passed++;
  } else if (end.code == kSkipped) {
    skipped++;
  } else {
    failed++;
    if (end.signal != 0) std::printf("failed by signal %d: %s\n", end.signal, test.name);
  }
}

void run_here(const Test& test) {
  run().failed = false;
  run().skipped = nullptr;
  running = test.name;
  body_of(test);
  if (run().failed) {
    failed++;
  } else if (run().skipped != nullptr) {
    skipped++;
  } else {
    passed++;
  }
}

template <typename F>
void each(int argc, char** argv, bool alone, F f) {
  for (const Test& test : run().tests) {
    if (test.alone != alone) continue;
    if (argc > 1 && std::strstr(test.name, argv[1]) == nullptr) continue;
    f(test);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  each(argc, argv, true, run_alone);
  struct sigaction action = {};
  action.sa_sigaction = name_test;
  action.sa_flags = SA_SIGINFO;
  for (int i : {0, 1}) ::sigaction(kCrashes[i], &action, &previous[i]);
  if (memmap::core::arm_guard().failed()) {
    std::printf("the guard cannot be armed\n");
    return 1;
  }
  each(argc, argv, false, run_here);
  if (skipped > 0) std::printf("%d skipped\n", skipped);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
