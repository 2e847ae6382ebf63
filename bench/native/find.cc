// find FILE NEEDLE: maps the file and looks for the needle with memmem.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "rounds.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const char* path = argv[1];
  const char* needle = argv[2];
  bench::serve(1, [&] {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (fd < 0 || fstat(fd, &status) != 0) std::exit(1);
    const auto size = static_cast<size_t>(status.st_size);
    void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) std::exit(1);
    const void* found = memmem(memory, size, needle, std::strlen(needle));
    const long long at =
        found == nullptr ? -1
                         : static_cast<const char*>(found) - static_cast<char*>(memory);
    munmap(memory, size);
    close(fd);
    return at;
  });
}
