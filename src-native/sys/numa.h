// One function per system call on where memory lies, by NUMA node: its name, its argument
// order, no policy. https://man7.org/linux/man-pages/man7/numa.7.html
//
// A mask has a bit for each node, in words of `unsigned long`. Of `max_node` the kernel
// takes one away before it counts the bits.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "sys/result.h"

namespace memmap::sys {

// No kernel is built for more nodes (CONFIG_NODES_SHIFT is at most 10), nor takes longer
// masks.
inline constexpr size_t kMaxNodes = 1024;

Errno mbind(void* address, size_t length, int mode, const unsigned long* nodes,
            unsigned long max_node, unsigned flags);
// EINVAL if the mask has fewer bits than the kernel has nodes.
Errno get_mempolicy(int* mode, unsigned long* nodes, unsigned long max_node,
                    void* address, unsigned long flags);
Errno set_mempolicy(int mode, const unsigned long* nodes, unsigned long max_node);
// Without `nodes` it moves nothing: it fills `status` with where the pages are. Otherwise
// the number of pages that it did not move, or did not come to, as of Linux 4.17: it has
// filled in their status or not.
Result<long> move_pages(pid_t pid, unsigned long count, void* const* pages,
                        const int* nodes, int* status, int flags);
// The number of pages that it could not move.
Result<long> migrate_pages(pid_t pid, unsigned long max_node, const unsigned long* from,
                           const unsigned long* to);
Errno set_mempolicy_home_node(void* address, size_t length, unsigned long home_node,
                              unsigned long flags);  // Linux 5.17

}  // namespace memmap::sys
