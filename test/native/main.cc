// native_tests [part of a name]: runs the tests whose names hold it, and tells failures.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "check.h"

namespace {

const char* running = "";
struct sigaction previous = {};

// Names the test that crashes; then whoever had the signal, a sanitizer perhaps, gets it.
void name_test(int number) {
  for (const char* part : {"crashed: ", running, "\n"}) {
    if (::write(STDOUT_FILENO, part, std::strlen(part)) < 0) break;
  }
  ::sigaction(number, &previous, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  using memmap::test::run;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  struct sigaction action = {};
  action.sa_handler = name_test;
  ::sigaction(SIGSEGV, &action, &previous);
  int passed = 0;
  int failed = 0;
  int skipped = 0;
  for (const memmap::test::Test& test : run().tests) {
    if (argc > 1 && std::strstr(test.name, argv[1]) == nullptr) continue;
    run().failed = false;
    run().skipped = nullptr;
    running = test.name;
    test.body();
    if (run().failed) {
      failed++;
      std::printf("failed: %s\n", test.name);
    } else if (run().skipped != nullptr) {
      skipped++;
      std::printf("skipped: %s: %s\n", test.name, run().skipped);
    } else {
      passed++;
    }
  }
  if (skipped > 0) std::printf("%d skipped\n", skipped);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
