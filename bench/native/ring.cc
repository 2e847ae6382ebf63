// ring LENGTH COUNT: a ring of 1 MiB between two processes, messages copied in and out.
// Sends COUNT messages in a round, and waits for the last.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "rounds.h"

namespace {

constexpr size_t kCapacity = size_t{1} << 20;

struct Shared {
  alignas(128) std::atomic<uint64_t> head;
  alignas(128) std::atomic<uint64_t> tail;
  alignas(128) std::atomic<uint64_t> received;
  alignas(128) char data[kCapacity];
};

void pause_a_little() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Records of one length that divides the capacity: none wraps.
void send(Shared& ring, const char* message, size_t length, long count) {
  uint64_t head = ring.head.load(std::memory_order_relaxed);
  uint64_t tail = ring.tail.load(std::memory_order_acquire);
  for (long i = 0; i < count; i++) {
    while (head - tail > kCapacity - length) {
      tail = ring.tail.load(std::memory_order_acquire);
      if (head - tail > kCapacity - length) pause_a_little();
    }
    std::memcpy(ring.data + head % kCapacity, message, length);
    head += length;
    ring.head.store(head, std::memory_order_release);
  }
}

[[noreturn]] void receive(Shared& ring, size_t length, uint64_t count,
                          bench::Gate& gate) {
  std::vector<char> message(length);
  uint64_t tail = 0;
  for (uint64_t end = 0;;) {
    if (tail == end) {
      gate.wait();
      end += count * length;
    }
    uint64_t head = ring.head.load(std::memory_order_acquire);
    if (head == tail) pause_a_little();
    for (; tail != head; tail += length) {
      std::memcpy(message.data(), ring.data + tail % kCapacity, length);
      ring.tail.store(tail + length, std::memory_order_release);
      ring.received.fetch_add(1, std::memory_order_release);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto length = static_cast<size_t>(std::atol(argv[1]));
  const long count = std::atol(argv[2]);
  constexpr int kFlags = MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE;
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (memory == MAP_FAILED) return 1;
  auto& ring = *static_cast<Shared*>(memory);
  bench::Gate gate;
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return 0;
    receive(ring, length, static_cast<uint64_t>(count), gate);
  }
  const std::vector<char> message(length, 7);
  uint64_t expected = 0;
  bench::serve(static_cast<double>(count), [&] {
    gate.open();
    send(ring, message.data(), length, count);
    expected += static_cast<uint64_t>(count);
    while (ring.received.load(std::memory_order_acquire) != expected) pause_a_little();
    return static_cast<long long>(count);
  });
  kill(child, SIGKILL);
}
