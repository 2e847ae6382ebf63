#include "sys/numa.h"

#include <unistd.h>

#include "sys/abi.h"

namespace memmap::sys {

// The C library has none of them: libnuma has, and is not needed.

Errno mbind(void* address, size_t length, int mode, const unsigned long* nodes,
            unsigned long max_node, unsigned flags) {
  return errno_of(::syscall(SYS_mbind, address, length, mode, nodes, max_node, flags));
}

Errno get_mempolicy(int* mode, unsigned long* nodes, unsigned long max_node,
                    void* address, unsigned long flags) {
  return errno_of(::syscall(SYS_get_mempolicy, mode, nodes, max_node, address, flags));
}

Errno set_mempolicy(int mode, const unsigned long* nodes, unsigned long max_node) {
  return errno_of(::syscall(SYS_set_mempolicy, mode, nodes, max_node));
}

Result<long> move_pages(pid_t pid, unsigned long count, void* const* pages,
                        const int* nodes, int* status, int flags) {
  long left = ::syscall(SYS_move_pages, pid, count, pages, nodes, status, flags);
  if (left == -1) return Errno::last();
  return left;
}

Result<long> migrate_pages(pid_t pid, unsigned long max_node, const unsigned long* from,
                           const unsigned long* to) {
  long left = ::syscall(SYS_migrate_pages, pid, max_node, from, to);
  if (left == -1) return Errno::last();
  return left;
}

Errno set_mempolicy_home_node(void* address, size_t length, unsigned long home_node,
                              unsigned long flags) {
  return errno_of(
      ::syscall(SYS_set_mempolicy_home_node, address, length, home_node, flags));
}

}  // namespace memmap::sys
