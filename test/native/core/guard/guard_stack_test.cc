// What stops the guard's handler: a stack that is too small for it, and nothing else.
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "check.h"
#include "child.h"
#include "core/guard/guard.h"
#include "core/page.h"
#include "subject.h"

namespace {

using memmap::core::arm_guard;
using memmap::core::page_size;
using memmap::core::round_up;
using memmap::test::in_child;
using memmap::test::Subject;

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

// Has the calling thread's handlers run on `size` bytes, with a page below them that
// nobody may touch.
void stand_on(size_t size) {
  const size_t whole = round_up(size, page_size()) + page_size();
  auto* memory = static_cast<char*>(
      ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, kAnonymous, -1, 0));
  ::mprotect(memory, page_size(), PROT_NONE);
  stack_t stack = {};
  stack.ss_sp = memory + page_size();
  stack.ss_size = size;
  CHECK(::sigaltstack(&stack, nullptr) == 0);
}

TEST_ALONE("a guard that has no room to work in ends the process, it does not go round") {
  // What the kernel itself puts there, and next to nothing.
  const size_t frame = ::getauxval(AT_MINSIGSTKSZ);
  if (frame == 0) SKIP("this kernel does not say how large a signal's frame is");
  CHECK(in_child([=] {
          Subject subject(1, PROT_READ, kAnonymous);
          stand_on(round_up(frame, 16) + 64);
          *static_cast<volatile char*>(subject.at(0)) = 'w';
        }).signal == SIGSEGV);
}

TEST_ALONE("no other handler interrupts the guard's, nor a fault of its own") {
  CHECK(in_child([] {
          static_cast<void>(arm_guard());
          for (int signal : {SIGSEGV, SIGBUS}) {
            struct sigaction guards = {};
            ::sigaction(signal, nullptr, &guards);
            for (int other : {SIGPROF, SIGUSR1, SIGSEGV, SIGBUS}) {
              CHECK(::sigismember(&guards.sa_mask, other) == 1);
            }
          }
        }).well());
}

}  // namespace
