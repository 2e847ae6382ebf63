// robust_mutex TIMES PROCESSES: a process-shared robust mutex of pthreads; each process
// locks it, counts up, and unlocks it, TIMES / PROCESSES times.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "rounds.h"

namespace {

struct Shared {
  pthread_mutex_t mutex;
  long long counter;
};

void count(Shared* shared, long times) {
  for (long i = 0; i < times; i++) {
    if (pthread_mutex_lock(&shared->mutex) != 0) std::_Exit(1);
    shared->counter += 1;
    if (pthread_mutex_unlock(&shared->mutex) != 0) std::_Exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const long times = std::atol(argv[1]);
  const long processes = std::atol(argv[2]);
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  auto* shared = static_cast<Shared*>(memory);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&shared->mutex, &attributes);
  bench::serve(static_cast<double>(times), [&] {
    shared->counter = 0;
    for (long i = 1; i < processes; i++) {
      if (fork() == 0) {
        count(shared, times / processes);
        std::_Exit(0);
      }
    }
    count(shared, times / processes);
    for (long i = 1; i < processes; i++) wait(nullptr);
    return shared->counter;
  });
}
