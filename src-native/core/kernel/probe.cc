#include "core/kernel/probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "core/mapping/scratch_pages.h"
#include "core/page.h"
#include "core/wait/futex_ring.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "sys/futex.h"
#include "sys/memory.h"
#include "sys/numa.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

template <typename T>
Errno error_of(const Result<T>& result) {
  return result ? Errno{} : result.error();
}

// The call exists: that it refuses these arguments, or this process its limits, is not
// what was asked.
Errno if_missing(Errno error) {
  const bool missing = error.value == ENOSYS || error.value == ENOTTY;
  return missing ? error : Errno{};
}

// Advice on no bytes does nothing, but unknown advice is EINVAL.
template <int kAdvice>
Errno advice() {
  return sys::madvise(nullptr, 0, kAdvice);
}

// A policy for no bytes, likewise.
template <int kMode>
Errno policy() {
  return sys::mbind(nullptr, 0, kMode, nullptr, 0, 0);
}

Errno lock_on_fault() {
  const Errno error = sys::mlock2(nullptr, 0, MLOCK_ONFAULT);
  return error.value == EPERM ? Errno{} : error;  // a limit of 0 bytes
}

Errno fixed_no_replace() {
  const ScratchPages taken(page_size(), PROT_NONE, kAnonymous);
  if (taken.error().failed()) return taken.error();
  Result<void*> mapped = sys::mmap(taken.address(), page_size(), PROT_NONE,
                                   kAnonymous | MAP_FIXED_NOREPLACE, -1, 0);
  if (!mapped) return mapped.error().value == EEXIST ? Errno{} : mapped.error();
  const ScratchPages elsewhere(*mapped, page_size());  // the flag was not understood
  return {EINVAL};
}

Errno remap(const ScratchPages& from) {
  if (from.error().failed()) return from.error();
  Result<void*> moved = sys::mremap(from.address(), page_size(), page_size(),
                                    MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
  if (!moved) return moved.error();
  const ScratchPages to(*moved, page_size());
  return {};
}

Errno remap_keeping() { return remap(ScratchPages(page_size(), PROT_READ, kAnonymous)); }

Errno remap_keeping_files() {
  return remap(ScratchPages(page_size(), PROT_READ, MAP_SHARED | MAP_ANONYMOUS));
}

Errno droppable() {
  return ScratchPages(page_size(), PROT_READ, MAP_DROPPABLE | MAP_ANONYMOUS).error();
}

Errno seal() { return sys::mseal(nullptr, 0, 0); }

Errno secret_memory() { return error_of(sys::memfd_secret(O_CLOEXEC)); }

Errno no_exec_seal() {
  return error_of(sys::memfd_create("memmap", MFD_CLOEXEC | MFD_NOEXEC_SEAL));
}

Errno checked_copy() {
  char from = 0;
  char to = 0;
  return error_of(sys::process_vm_readv(::getpid(), {&to, 1}, {&from, 1}));
}

Errno process_advice() {
  Result<sys::UniqueFd> self = sys::pidfd_open(::getpid(), 0);
  if (!self) return self.error();
  return error_of(sys::process_madvise(self->get(), nullptr, 0, MADV_COLD, 0));
}

Errno cachestat() {
  Result<sys::UniqueFd> file = sys::memfd_create("memmap", MFD_CLOEXEC);
  if (!file) return file.error();
  const sys::CachestatRange whole = {0, 0};
  sys::Cachestat counts = {};
  return sys::cachestat(file->get(), &whole, &counts, 0);
}

Result<sys::UniqueFd> open_pagemap() {
  return sys::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
}

Errno pagemap() { return error_of(open_pagemap()); }

Errno pagemap_scan() {
  Result<sys::UniqueFd> file = open_pagemap();
  if (!file) return file.error();
  sys::PagemapScan nothing = {};
  nothing.size = sizeof nothing;
  return error_of(sys::pagemap_scan(file->get(), nothing));
}

Errno maps_query() {
  Result<sys::UniqueFd> file = sys::open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (!file) return file.error();
  sys::ProcmapQuery query = {};
  query.size = sizeof query;
  query.query_addr = reinterpret_cast<uintptr_t>(&query);
  return sys::procmap_query(file->get(), query);
}

Errno multi_futex() { return if_missing(sys::futex_waitv(nullptr, 0, nullptr).error()); }

Errno ring_futex() { return error_of(FutexRing::create()); }

Errno numa() { return sys::get_mempolicy(nullptr, nullptr, 0, nullptr, 0); }

Errno home_node() { return if_missing(sys::set_mempolicy_home_node(nullptr, 0, 0, 0)); }

struct Feature {
  std::string_view name;
  Errno (*ask)();
};

// Twin of the table in lib/internal/features.ts.
constexpr Feature kFeatures[] = {
    {"lockOnFault", lock_on_fault},
    {"wipeOnFork", advice<MADV_WIPEONFORK>},
    {"fixedNoReplace", fixed_no_replace},
    {"cold", advice<MADV_COLD>},
    {"pageOut", advice<MADV_PAGEOUT>},
    {"populate", advice<MADV_POPULATE_READ>},
    {"discardLocked", advice<MADV_DONTNEED_LOCKED>},
    {"collapse", advice<MADV_COLLAPSE>},
    {"guardPages", advice<MADV_GUARD_INSTALL>},
    {"poison", advice<MADV_HWPOISON>},
    {"remapKeeping", remap_keeping},
    {"remapKeepingFiles", remap_keeping_files},
    {"droppable", droppable},
    {"seal", seal},
    {"secretMemory", secret_memory},
    {"noExecSeal", no_exec_seal},
    {"checkedCopy", checked_copy},
    {"processAdvice", process_advice},
    {"cachestat", cachestat},
    {"pagemap", pagemap},
    {"pagemapScan", pagemap_scan},
    {"mapsQuery", maps_query},
    {"multiFutex", multi_futex},
    {"ringFutex", ring_futex},
    {"numa", numa},
    {"preferredMany", policy<sys::kMpolPreferredMany>},
    {"weightedInterleave", policy<sys::kMpolWeightedInterleave>},
    {"homeNode", home_node},
};

}  // namespace

Errno probe(std::string_view feature) {
  for (const auto& [name, ask] : kFeatures) {
    if (name == feature) return ask();
  }
  return {ENOENT};
}

}  // namespace memmap::core
