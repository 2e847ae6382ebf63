// What stops the guard's handler: a stack that is too small for it, and nothing else.
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

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
  // The kernel takes none below that size: the rest of it is nobody's.
  stack.ss_size = std::max<size_t>(size, MINSIGSTKSZ);
  stack.ss_sp = memory + page_size() + size - stack.ss_size;
  CHECK(::sigaltstack(&stack, nullptr) == 0);
}

volatile uintptr_t reached = 0;

void note_frame(int, siginfo_t*, void*) {
  reached = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
}

// Bytes that the kernel itself puts there, and an empty handler: on some processors far
// fewer than AT_MINSIGSTKSZ, which is for all of their registers.
size_t frame_size() {
  constexpr size_t kRoom = size_t{1} << 16;
  stand_on(kRoom);
  struct sigaction action = {};
  action.sa_sigaction = note_frame;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigaction(SIGUSR1, &action, nullptr);
  ::raise(SIGUSR1);
  stack_t stack = {};
  ::sigaltstack(nullptr, &stack);
  return reinterpret_cast<uintptr_t>(stack.ss_sp) + stack.ss_size - reached;
}

TEST_ALONE("a guard that has no room to work in ends the process, it does not go round") {
  CHECK(in_child([] {
          Subject subject(1, PROT_READ, kAnonymous);
          stand_on(round_up(frame_size(), 16) + 64);
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
