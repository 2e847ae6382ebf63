// ping_pong spin|futex|eventfd COUNT: two processes wake each other in turn, each on a
// core of its own. A round is COUNT round trips.
#include <linux/futex.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "rounds.h"

namespace {

struct Word {
  alignas(128) std::atomic<uint32_t> value;
};

long futex(std::atomic<uint32_t>& word, int operation, uint32_t value) {
  return syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

// To one core; where there is none such, it runs anywhere.
void pin(size_t core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  static_cast<void>(sched_setaffinity(0, sizeof cores, &cores));
}

// One direction: `from` tells, `to` waits for the next turn.
class Way {
 public:
  Way(const char* how, Word& word)
      : how_(how[0]), word_(word), fd_(eventfd(0, EFD_CLOEXEC)) {}

  void tell() {
    if (how_ == 'e') {
      const uint64_t one = 1;
      if (write(fd_, &one, sizeof one) != sizeof one) std::exit(1);
      return;
    }
    word_.value.fetch_add(1);
    if (how_ == 'f') futex(word_.value, FUTEX_WAKE, 1);
  }

  void wait() {
    if (how_ == 'e') {
      uint64_t count = 0;
      if (read(fd_, &count, sizeof count) != sizeof count) std::exit(1);
      return;
    }
    while (word_.value.load() == seen_) {
      if (how_ == 'f') {
        futex(word_.value, FUTEX_WAIT, seen_);
      }
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    seen_ += 1;
  }

 private:
  char how_;
  Word& word_;
  int fd_;
  uint32_t seen_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::strchr("sfe", argv[1][0]) == nullptr) return 2;
  const long count = std::atol(argv[2]);
  void* memory = mmap(nullptr, 2 * sizeof(Word), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  auto* words = static_cast<Word*>(memory);
  Way there(argv[1], words[0]);
  Way back(argv[1], words[1]);
  bench::Gate gate;
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return 0;
    pin(1);
    for (;;) {
      gate.wait();
      for (long i = 0; i < count; i++) {
        there.wait();
        back.tell();
      }
    }
  }
  pin(0);
  bench::serve(static_cast<double>(count), [&] {
    gate.open();
    for (long i = 0; i < count; i++) {
      there.tell();
      back.wait();
    }
    return static_cast<long long>(count);
  });
  kill(child, SIGKILL);
}
