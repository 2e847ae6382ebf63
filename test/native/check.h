// Assertions and the list of tests of native_tests. A failed CHECK ends its test.
#pragma once

#include <cstdio>
#include <vector>

namespace memmap::test {

struct Test {
  const char* name;
  void (*body)();
  bool alone;
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

inline bool add(const char* name, void (*body)(), bool alone) {
  run().tests.push_back({name, body, alone});
  return true;
}

inline void fail(const char* file, int line, const char* what) {
  std::printf("%s:%d: not so: %s\n", file, line, what);
  run().failed = true;
}

}  // namespace memmap::test

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define ADD_TEST_(name, alone)                                  \
  static void JOIN(test_, __LINE__)();                          \
  static const bool JOIN(added_, __LINE__) =                    \
      ::memmap::test::add(name, &JOIN(test_, __LINE__), alone); \
  static void JOIN(test_, __LINE__)()
// TEST("a sentence about behaviour") { ... }
// All of them run in one process, under the guard.
#define TEST(name) ADD_TEST_(name, false)
// In a process of its own, in which nothing has been mapped and no guard is.
#define TEST_ALONE(name) ADD_TEST_(name, true)
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
