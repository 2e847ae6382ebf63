#include "sys/io_uring.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace memmap::sys {

Result<UniqueFd> io_uring_setup(unsigned entries, io_uring_params& params) {
  long fd = ::syscall(SYS_io_uring_setup, entries, &params);
  if (fd == -1) return Errno::last();
  return UniqueFd(static_cast<int>(fd));
}

Result<int> io_uring_enter(int fd, unsigned count) {
  long taken = ::syscall(SYS_io_uring_enter, fd, count, 0U, 0U, nullptr, 0UL);
  if (taken == -1) return Errno::last();
  return static_cast<int>(taken);
}

Errno io_uring_probe(int fd, struct io_uring_probe* probe, unsigned operations) {
  return errno_of(::syscall(SYS_io_uring_register, fd,
                            static_cast<unsigned>(IORING_REGISTER_PROBE), probe,
                            operations));
}

}  // namespace memmap::sys
