// willneed FILE PART REQUESTS: asks for parts of a mapped file, one after the other.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "rounds.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto part = static_cast<size_t>(std::atoll(argv[2]));
  const auto requests = static_cast<size_t>(std::atoll(argv[3]));
  const int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (fd < 0 || fstat(fd, &status) != 0) return 1;
  const auto size = static_cast<size_t>(status.st_size);
  void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return 1;
  bench::serve(static_cast<double>(requests), [&] {
    for (size_t i = 0; i < requests; i++) {
      madvise(static_cast<char*>(memory) + (i * part) % (size - part), part,
              MADV_WILLNEED);
    }
    return static_cast<long long>(requests);
  });
}
