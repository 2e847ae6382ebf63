#include "core/mend.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/closed_pages.h"
#include "core/page.h"
#include "core/stash.h"
#include "core/vma.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

// A mapping too large to be copied whole is copied in blocks, at most so many.
constexpr size_t kMostBlocks = 4096;

struct Span {
  uintptr_t start;
  uintptr_t end;
  size_t length() const { return end - start; }
};

void* at(uintptr_t address) { return reinterpret_cast<void*>(address); }

// The faulting memory: what we know of it, and what the kernel says is there.
struct Scene {
  GuardedRange range;
  Vma vma;
  size_t unit;     // bytes in a page
  uintptr_t page;  // the one that faulted
  sys::Access access;

  // The part of the kernel's mapping that is the range's.
  Span common() const {
    return {std::max(vma.start, range.start), std::min(vma.end, range.end)};
  }
  uint64_t file_offset(uintptr_t address) const {
    return vma.offset + (address - vma.start);
  }
};

// Before the pages are replaced: another thread may read the new ones at once.
void count(const Scene& scene, FaultKind kind, Span replaced) {
  const SlotIndex index = scene.range.index;
  if (index != kProcess) fault_slot(index).mended.store(true, std::memory_order_relaxed);
  count_fault(index, kind, replaced.start - scene.range.start, replaced.length());
}

bool zeros(Span span) {
  if (sys::mmap(at(span.start), span.length(), kReadWrite, kAnonymous | MAP_FIXED, -1,
                0)) {
    return true;
  }
  // Under strict overcommit writable memory is charged, read-only memory never.
  return bool{
      sys::mmap(at(span.start), span.length(), PROT_READ, kAnonymous | MAP_FIXED, -1, 0)};
}

// Copies what can be read of `from` to `to`; skips pages that cannot.
void copy_readable(char* to, Span from, size_t unit) {
  const pid_t self = ::getpid();
  for (uintptr_t next = from.start; next < from.end;) {
    char* target = to + (next - from.start);
    Result<ssize_t> copied = sys::process_vm_readv(self, {target, from.end - next},
                                                   {at(next), from.end - next});
    if (copied) {
      next += static_cast<size_t>(*copied);
      if (next < from.end) next = round_down(next, unit) + unit;
    } else {
      // Forbidden by a sandbox, or the page is lost.
      const bool forbidden = copied.error().value != EFAULT;
      if (forbidden && sys::readable(at(next))) std::memcpy(target, at(next), unit);
      next += unit;
    }
  }
}

// Replaces a span by a private copy of itself, in one step.
bool copy_away(Span span, size_t unit) {
  Result<void*> copy = sys::mmap(nullptr, span.length(), kReadWrite, kAnonymous, -1, 0);
  if (!copy) return false;
  copy_readable(static_cast<char*>(*copy), span, unit);
  if (sys::mremap(*copy, span.length(), span.length(), MREMAP_MAYMOVE | MREMAP_FIXED,
                  at(span.start))) {
    return true;
  }
  static_cast<void>(sys::munmap(*copy, span.length()));
  return false;
}

// The block around the faulting page: so large that a mapping has few of them, because
// each can cost the process two of the kernel's mappings.
Span block_of(const Scene& scene) {
  const Span whole = scene.common();
  size_t size = scene.unit;
  while (whole.length() / size > kMostBlocks) size *= 2;
  const uintptr_t start = whole.start + round_down(scene.page - whole.start, size);
  return {start, std::min(start + size, whole.end)};
}

struct FileState {
  int64_t size = -1;       // bytes; -1 if no descriptor and no path leads to the file
  bool in_memory = false;  // there is no disk: reading a hole needs space, too
};

FileState file_state(const Scene& scene) {
  Result<sys::UniqueFd> opened = Errno{ENOENT};
  int fd = scene.range.fd;
  if (fd < 0) {
    opened = open_file_of(scene.vma, O_PATH);
    if (!opened) return {};
    fd = opened->get();
  }
  struct stat status = {};
  struct statfs system = {};
  if (sys::fstat(fd, &status).failed() || status.st_ino != scene.vma.inode) return {};
  if (sys::fstatfs(fd, &system).failed()) return {};
  const bool in_memory = system.f_type == TMPFS_MAGIC || system.f_type == HUGETLBFS_MAGIC;
  return {status.st_size, in_memory};
}

// Without the file: where the unreadable end of `span` begins, given that `page` is in
// it.
uintptr_t first_unreadable(Span span, uintptr_t page, size_t unit) {
  size_t low = 0;  // pages before it can be read
  size_t high = (page - span.start) / unit;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (sys::readable(at(span.start + middle * unit))) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return span.start + low * unit;
}

bool in_the_file(const Scene& scene, FaultKind kind) {
  const Span block = block_of(scene);
  count(scene, kind, block);
  return copy_away(block, scene.unit);
}

Mended done(bool mended) { return mended ? Mended::kNow : Mended::kNot; }

// Whether the access would succeed now: the file may have grown back since it failed.
bool succeeds(const Scene& scene) {
  if (!sys::readable(at(scene.page))) return false;
  if (scene.access == sys::Access::kRead) return true;
  const Errno populated = sys::madvise(at(scene.page), scene.unit, MADV_POPULATE_WRITE);
  if (populated.value != EINVAL) return !populated.failed();
  // Linux before 5.14 cannot be asked: tried once more.
  return fault_slot(scene.range.index).suspect.exchange(scene.page) != scene.page;
}

// Whether a page inside the file can still not be had. A file may shrink and grow back to
// the same size in the midst of a look; not every time.
bool stays_out_of_reach(const Scene& scene, const FileState& file) {
  for (int look = 0; look < 8; ++look) {
    if (succeeds(scene) || file_state(scene).size != file.size) return false;
  }
  return true;
}

Mended past_the_end(const Scene& scene) {
  const Span common = scene.common();
  Span tail = {scene.page, scene.range.end};
  const FileState file = file_state(scene);
  if (file.size >= 0) {
    const size_t end = round_up(static_cast<size_t>(file.size), scene.unit);
    if (scene.file_offset(scene.page) < end) {
      if (!stays_out_of_reach(scene, file)) return Mended::kAlready;
      const bool disk = scene.access == sys::Access::kRead && !file.in_memory;
      return done(
          in_the_file(scene, disk ? FaultKind::kMemoryFailure : FaultKind::kNoSpace));
    }
    const uint64_t first = scene.file_offset(common.start);
    tail.start = first >= end ? common.start : common.start + (end - first);
  } else {
    // A file that lost its path and shrank has no readable page at its end. (One that has
    // holes there on a full tmpfs looks the same.)
    if (sys::readable(at(common.end - scene.unit))) {
      return done(in_the_file(scene, FaultKind::kNoSpace));
    }
    tail.start = first_unreadable(common, scene.page, scene.unit);
  }
  const auto lose = [&] {
    if (scene.range.index != kProcess) {
      fault_slot(scene.range.index).lost_from.store(tail.start - scene.range.start);
    }
    return zeros(tail);
  };
  count(scene, FaultKind::kTruncated, tail);
  if (lose()) return Mended::kNow;
  // The limit of mappings: whole ones can still be replaced.
  tail.start = common.start;
  return done(lose());
}

bool memory_failure(const Scene& scene, unsigned lsb) {
  size_t size = scene.unit;
  if (lsb < 40 && (size_t{1} << lsb) > size) size = size_t{1} << lsb;
  const Span common = scene.common();
  const uintptr_t start = std::max(round_down(scene.page, size), common.start);
  const Span block = {start, std::min(round_down(scene.page, size) + size, common.end)};
  count(scene, FaultKind::kMemoryFailure, block);
  return zeros(block);
}

// Maps the file under the span again, as a private copy.
bool map_privately(const Scene& scene, Span span) {
  Result<sys::UniqueFd> opened = Errno{ENOENT};
  int fd = scene.range.fd;
  if (fd < 0) {
    opened = open_file_of(scene.vma, O_RDONLY);
    if (!opened) return false;
    fd = opened->get();
  }
  constexpr int kFlags = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED;
  const auto offset = static_cast<int64_t>(scene.file_offset(span.start));
  return bool{sys::mmap(at(span.start), span.length(), kReadWrite, kFlags, fd, offset)};
}

bool read_only(const Scene& scene) {
  const Span common = scene.common();
  // A private mapping of it fails, and would leave a hole; a copy of it would be no
  // secret.
  if (is_secret(scene.vma)) {
    count(scene, FaultKind::kReadOnly, common);
    return zeros(common);
  }
  const bool whole =
      scene.vma.shared
          ? map_privately(scene, common)
          : !sys::mprotect(at(common.start), common.length(), kReadWrite).failed();
  // Nobody reads anything else than before, whenever it is counted.
  const Span block = whole ? common : block_of(scene);
  count(scene, FaultKind::kReadOnly, block);
  return whole || copy_away(block, scene.unit);
}

bool no_access(const Scene& scene) {
  const Span common = scene.common();
  count(scene, FaultKind::kNoAccess, common);
  if (put_aside(scene.range.index, common.start, common.length()) ||
      (scene.vma.shared && scene.vma.inode != 0)) {
    return zeros(common);
  }
  // Linux before 5.7: rather let the access through than lose the pages.
  return !sys::mprotect(at(common.start), common.length(), kReadWrite).failed();
}

bool after_close(Scene& scene) {
  // Of a range that the table has forgotten we know the page only.
  if (scene.range.index == kProcess) {
    scene.range.start = scene.page;
    scene.range.end = scene.page + scene.unit;
  }
  const Span common = scene.common();
  count(scene, FaultKind::kAfterClose, common);
  return zeros(common);
}

bool forbids(const Vma& vma, sys::Access access) {
  return access == sys::Access::kWrite ? !vma.writable : !vma.readable;
}

}  // namespace

Mended mend(const Fault& fault) {
  Scene scene = {};
  scene.range = find_range(fault.address);
  scene.access = fault.access;
  const Replacing turn(scene.range.index);
  if (!find_vma(fault.address, scene.vma)) return Mended::kNot;
  const bool closed = is_closed(scene.vma);
  if (scene.range.index == kProcess && !closed) return Mended::kNot;
  const bool broken = fault.signal == SIGBUS && fault.code == BUS_MCEERR_AR;
  // Zeros that another thread has put there; or the engine has unmapped this range, and
  // something else stands there now. Memory that breaks needs no such explanation.
  if (!broken && scene.range.of_runtime && !closed && scene.vma.inode == 0 &&
      !scene.range.may_be_protected && !fault_slot(scene.range.index).mended.load()) {
    return Mended::kNot;
  }
  scene.unit = std::max({scene.range.unit, scene.vma.page_size, page_size()});
  scene.page = std::max(round_down(fault.address, scene.unit), scene.range.start);
  if (fault.signal == SIGBUS) {
    if (broken) return done(memory_failure(scene, fault.lsb));
    if (fault.code != BUS_ADRERR) return Mended::kNot;
    // Replaced or protected by another thread meanwhile: what stands there now raises no
    // SIGBUS.
    if (scene.vma.inode == 0 || closed || forbids(scene.vma, fault.access)) {
      return Mended::kAlready;
    }
    const bool pool = std::strncmp(scene.vma.path, "/anon_hugepage", 14) == 0;
    return pool ? done(in_the_file(scene, FaultKind::kNoSpace)) : past_the_end(scene);
  }
  if (fault.code != SEGV_ACCERR || fault.fetch) return Mended::kNot;
  if (closed) return done(after_close(scene));
  if (!scene.vma.readable && !scene.vma.writable) return done(no_access(scene));
  if (!scene.vma.writable && fault.access != sys::Access::kRead) {
    return done(read_only(scene));
  }
  return Mended::kAlready;
}

}  // namespace memmap::core
