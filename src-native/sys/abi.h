// The kernel's constants and call numbers, from the headers of the build machine; those
// it is too old to know are defined here, with the kernel that brought them. A wrong
// number cannot slip in: where the headers do know it, the compiler compares.
#pragma once

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cstdint>

// Linux 6.11: pages the kernel may drop, and finds zeroed, under memory pressure.
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
static_assert(MAP_DROPPABLE == 0x08);

// Linux 6.1.
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
static_assert(MADV_COLLAPSE == 25);

// Linux 6.13.
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
static_assert(MADV_GUARD_INSTALL == 102 && MADV_GUARD_REMOVE == 103);

// Linux 6.3.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif
static_assert(MFD_NOEXEC_SEAL == 0x0008U && MFD_EXEC == 0x0010U);

// Linux 5.1 and 6.3.
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
static_assert(F_SEAL_FUTURE_WRITE == 0x0010 && F_SEAL_EXEC == 0x0020);

// Linux 5.14: the file system of memfd_secret(2).
#ifndef SECRETMEM_MAGIC
#define SECRETMEM_MAGIC 0x5345434d
#endif
static_assert(SECRETMEM_MAGIC == 0x5345434d);

// Linux 5.12.
#ifndef MPOL_F_NUMA_BALANCING
#define MPOL_F_NUMA_BALANCING 0x2000
#endif
static_assert(MPOL_F_NUMA_BALANCING == 0x2000);

// MPOL_PREFERRED_MANY is Linux 5.15, MPOL_WEIGHTED_INTERLEAVE 6.9. They are enumerators:
// no header can be asked whether it has them.
namespace memmap::sys {
inline constexpr int kMpolPreferredMany = 5;
inline constexpr int kMpolWeightedInterleave = 6;

// Linux 6.5, linux/mman.h. All counts are pages.
struct CachestatRange {
  uint64_t offset;
  uint64_t length;  // 0: to the end of the file
};
struct Cachestat {
  uint64_t cached;
  uint64_t dirty;
  uint64_t writeback;
  uint64_t evicted;
  uint64_t recently_evicted;
};

// Linux 6.11, linux/fs.h: PROCMAP_QUERY on an open /proc/PID/maps.
struct ProcmapQuery {
  uint64_t size;
  uint64_t query_flags;  // 0: the mapping that covers query_addr, or ENOENT
  uint64_t query_addr;
  uint64_t vma_start;
  uint64_t vma_end;
  uint64_t vma_flags;
  uint64_t vma_page_size;
  uint64_t vma_offset;
  uint64_t inode;
  uint32_t dev_major;
  uint32_t dev_minor;
  uint32_t vma_name_size;
  uint32_t build_id_size;
  uint64_t vma_name_addr;
  uint64_t build_id_addr;
};
static_assert(sizeof(ProcmapQuery) == 104);
inline constexpr uint64_t kProcmapReadable = 0x01;
inline constexpr uint64_t kProcmapWritable = 0x02;
inline constexpr uint64_t kProcmapExecutable = 0x04;
inline constexpr uint64_t kProcmapShared = 0x08;
inline constexpr unsigned long kProcmapQuery = _IOWR('f', 17, ProcmapQuery);

// Linux 6.7, linux/fs.h: PAGEMAP_SCAN on an open /proc/PID/pagemap. Addresses.
struct PageRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
struct PagemapScan {
  uint64_t size;  // of this
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;  // out: how far it has come
  uint64_t vec;       // of PageRegion
  uint64_t vec_length;
  uint64_t max_pages;  // 0: all
  uint64_t category_inverted;
  uint64_t category_mask;
  uint64_t category_anyof_mask;
  uint64_t return_mask;
};
static_assert(sizeof(PagemapScan) == 96);
inline constexpr uint64_t kPageIsFile = 1 << 2;
inline constexpr uint64_t kPageIsPresent = 1 << 3;
inline constexpr uint64_t kPageIsSwapped = 1 << 4;
inline constexpr uint64_t kPageIsHuge = 1 << 6;
inline constexpr unsigned long kPagemapScan = _IOWR('f', 16, PagemapScan);
// The entries of /proc/PID/pagemap. Linux 2.6.25; the file bit 3.5.
inline constexpr uint64_t kPagemapFile = uint64_t{1} << 61;
inline constexpr uint64_t kPagemapSwapped = uint64_t{1} << 62;
inline constexpr uint64_t kPagemapPresent = uint64_t{1} << 63;

// Linux 5.16, linux/futex.h.
struct FutexWaitv {
  uint64_t value;
  uint64_t word;   // its address
  uint32_t flags;  // kFutex32
  uint32_t reserved;
};
static_assert(sizeof(FutexWaitv) == 24);
inline constexpr uint32_t kFutex32 = 2;
inline constexpr unsigned kFutexWaitvMax = 128;
}  // namespace memmap::sys

// Since Linux 5.1 a new call has the same number on every architecture.
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
static_assert(SYS_pidfd_open == 434 && SYS_process_madvise == 440);
static_assert(SYS_memfd_secret == 447 && SYS_futex_waitv == 449);
static_assert(SYS_set_mempolicy_home_node == 450);
static_assert(SYS_cachestat == 451 && SYS_mseal == 462);
