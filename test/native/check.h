// Assertions and the list of tests of native_tests. A failed CHECK ends its test.
#pragma once

#include <cstdio>
#include <vector>

namespace memmap::test {

struct Test {
  const char* name;
  void (*body)();
};

// State of the run: one thread reports, the main one.
struct Run {
  std::vector<Test> tests;
  bool failed = false;
  const char* skipped = nullptr;  // the reason
};

inline Run& run() {
  static Run instance;
  return instance;
}

inline bool add(const char* name, void (*body)()) {
  run().tests.push_back({name, body});
  return true;
}

inline void fail(const char* file, int line, const char* what) {
  std::printf("%s:%d: not so: %s\n", file, line, what);
  run().failed = true;
}

}  // namespace memmap::test

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
// TEST("a sentence about behaviour") { ... }
#define TEST(name)                                       \
  static void JOIN(test_, __LINE__)();                   \
  static const bool JOIN(added_, __LINE__) =             \
      ::memmap::test::add(name, &JOIN(test_, __LINE__)); \
  static void JOIN(test_, __LINE__)()
#define CHECK(condition)                                    \
  do {                                                      \
    if (!(condition)) {                                     \
      ::memmap::test::fail(__FILE__, __LINE__, #condition); \
      return;                                               \
    }                                                       \
  } while (false)
#define SKIP(reason)                        \
  do {                                      \
    ::memmap::test::run().skipped = reason; \
    return;                                 \
  } while (false)
