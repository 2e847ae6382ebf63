// resident FILE: maps the file and counts the pages that mincore(2) finds in memory.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "rounds.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bench::serve(1, [&] {
    const int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (fd < 0 || fstat(fd, &status) != 0) std::exit(1);
    const auto size = static_cast<size_t>(status.st_size);
    void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) std::exit(1);
    std::vector<unsigned char> vec((size + page - 1) / page);
    if (mincore(memory, size, vec.data()) != 0) std::exit(1);
    long long resident = 0;
    for (const unsigned char each : vec) resident += each & 1;
    munmap(memory, size);
    close(fd);
    return resident;
  });
}
