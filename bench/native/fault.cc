// fault KIND FILE TIMES: what a handler of one's own does about as many faults, at the
// least.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "rounds.h"

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLength = 16 * kPage;
constexpr size_t kAt = 5 * kPage;

// A page of zeros in place of the lost one.
void replace(int, siginfo_t* info, void*) {
  const uintptr_t page = reinterpret_cast<uintptr_t>(info->si_addr) & ~(kPage - 1);
  void* zeros = mmap(reinterpret_cast<void*>(page), kPage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (zeros == MAP_FAILED) _exit(1);
}

// A copy of the page, for the write that was not allowed.
void permit(int, siginfo_t* info, void*) {
  const uintptr_t page = reinterpret_cast<uintptr_t>(info->si_addr) & ~(kPage - 1);
  const int prot = PROT_READ | PROT_WRITE;
  if (mprotect(reinterpret_cast<void*>(page), kPage, prot) != 0) _exit(1);
}

void handle(int signal, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(signal, &action, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const char* kind = argv[1];
  const bool truncated = std::strcmp(kind, "truncated") == 0;
  const bool writes = std::strcmp(kind, "read-only") == 0;
  const int fd = open(argv[2], O_RDWR | O_CLOEXEC);
  if (fd < 0) return 1;
  std::vector<volatile char*> mappings(static_cast<size_t>(std::atol(argv[3])), nullptr);
  handle(SIGBUS, replace);
  handle(SIGSEGV, writes ? permit : replace);

  const auto arrange = [&] {
    if (ftruncate(fd, kLength) != 0) std::exit(1);
    for (volatile char*& mapping : mappings) {
      if (mapping != nullptr) munmap(const_cast<char*>(mapping), kLength);
      const int prot = writes ? PROT_READ : PROT_READ | PROT_WRITE;
      void* memory =
          mmap(nullptr, kLength, prot, writes ? MAP_PRIVATE : MAP_SHARED, fd, 0);
      if (memory == MAP_FAILED) std::exit(1);
      mapping = static_cast<char*>(memory);
      static_cast<void>(mapping[kAt]);
      if (!truncated && !writes) mprotect(memory, kLength, PROT_NONE);
    }
    if (truncated && ftruncate(fd, kPage) != 0) std::exit(1);
  };
  bench::serve(static_cast<double>(mappings.size()), arrange, [&] {
    long long sum = 0;
    for (volatile char* mapping : mappings) {
      if (writes) mapping[kAt] = 1;
      sum += mapping[kAt];
    }
    return sum;
  });
}
