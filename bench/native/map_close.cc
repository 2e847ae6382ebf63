// map_close FILE TIMES: open, fstat, mmap, munmap, close.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "rounds.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const char* path = argv[1];
  const long times = std::atol(argv[2]);
  bench::serve(static_cast<double>(times), [&] {
    long long length = 0;
    for (long i = 0; i < times; i++) {
      const int fd = open(path, O_RDONLY | O_CLOEXEC);
      struct stat status {};
      if (fd < 0 || fstat(fd, &status) != 0) std::exit(1);
      const auto size = static_cast<size_t>(status.st_size);
      void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
      if (memory == MAP_FAILED) std::exit(1);
      length = status.st_size;
      munmap(memory, size);
      close(fd);
    }
    return length;
  });
}
