#include "core/guard/fault_fixup.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/extent/closed_pages.h"
#include "core/guard/fault_cause.h"
#include "core/page.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/replacement.h"
#include "sys/abi.h"
#include "sys/file.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

using sys::Errno;
using sys::Result;

// A mapping too large to be copied whole is copied in blocks, at most so many; and the
// blocks of all mappings are at most so many, since each can cost two of the kernel's.
constexpr size_t kMostBlocks = 4096;
constexpr uint32_t kMostBlocksOfAll = 8192;
constexpr size_t kFewBlocks = 8;
// A page costs as much to copy as a few.
constexpr size_t kLeastStray = size_t{1} << 16;

// Room for the text of an answer, while a handler works; static, because the stack is
// small. A handler that finds none waits for another to end.
class TextRoom {
 public:
  TextRoom() {
    for (size_t i = 0;; i = (i + 1) % kRooms) {
      bool taken = false;
      if (rooms_[i].taken.compare_exchange_strong(taken, true)) {
        room_ = &rooms_[i];
        return;
      }
      if (i + 1 == kRooms) sys::sched_yield();
    }
  }
  ~TextRoom() { room_->taken.store(false, std::memory_order_release); }
  TextRoom(const TextRoom&) = delete;
  TextRoom& operator=(const TextRoom&) = delete;

  VmaText& text() const { return room_->text; }

 private:
  static constexpr size_t kRooms = 8;
  struct Room {
    std::atomic<bool> taken;
    VmaText text;
  };
  static inline Room rooms_[kRooms];

  Room* room_ = nullptr;
};

// Before the pages are replaced: another thread may read the new ones at once.
void count(const FaultContext& scene, FaultKind kind, Span replaced) {
  Extent& extent = *scene.extent;
  extent.fixed_up = true;
  count_fault(*extent.counts, kind, replaced.start - extent.origin, replaced.length());
}

Fixup done(bool fixed) { return fixed ? Fixup::kNow : Fixup::kNot; }

// The block around the faulting page, of at least `least` bytes: so large that a mapping
// has few of them.
Span block_of(const FaultContext& scene, size_t least) {
  const Span whole = scene.common();
  const size_t most = all_blocks() < kMostBlocksOfAll ? kMostBlocks : kFewBlocks;
  size_t size = std::max(scene.unit, least);
  while (whole.length() / size > most) size *= 2;
  const uintptr_t start = whole.start + round_down(scene.page - whole.start, size);
  return {start, std::min(start + size, whole.end)};
}

// Bytes in the file; -1 if nothing leads to it.
int64_t file_size(const FaultContext& scene) {
  struct stat status = {};
  if (scene.file < 0 || sys::fstat(scene.file, &status).failed()) return -1;
  return is_file(scene.extent->backing, status) ? status.st_size : -1;
}

// Gives the whole up to zeros: at the limit of mappings, in place of the process.
bool lose(const FaultContext& scene, Span whole) {
  scene.extent->broken = true;
  return give_up(whole);
}

bool in_the_file(const FaultContext& scene, FaultKind kind) {
  const Span block = block_of(scene, 0);
  scene.extent->broken = true;
  count_block(*scene.extent);
  count(scene, kind, block);
  return replace_by_copy(block, scene.unit) || replace_by_zeros(block) ||
         lose(scene, scene.common());
}

// Whether the access would succeed now: the file may have grown back since it failed.
bool succeeds(const FaultContext& scene) {
  void* page = reinterpret_cast<void*>(scene.page);
  if (!sys::readable(page)) return false;
  if (scene.fault.access == sys::Access::kRead) return true;
  const Errno populated = sys::madvise(page, scene.unit, MADV_POPULATE_WRITE);
  if (populated.value != EINVAL) return !populated.failed();
  // Linux before 5.14 cannot be asked: tried once more.
  return std::exchange(scene.extent->suspect, scene.page) != scene.page;
}

// Whether a page inside the file can still not be had. A file may shrink and grow back to
// the same size in the midst of a look; not every time.
bool stays_out_of_reach(const FaultContext& scene, int64_t size) {
  for (int look = 0; look < 8; ++look) {
    if (succeeds(scene) || file_size(scene) != size) return false;
  }
  return true;
}

Fixup past_the_end(const FaultContext& scene) {
  Extent& extent = *scene.extent;
  // What lies behind the kernel's mapping has a mapping of its own: another's, it may be.
  const Span common = scene.common();
  Span tail = {scene.page, common.end};
  const int64_t size = file_size(scene);
  if (size >= 0) {
    const size_t end = round_up(static_cast<size_t>(size), scene.unit);
    if (scene.file_offset(scene.page) < end) {
      if (!stays_out_of_reach(scene, size)) return Fixup::kAlready;
      const bool disk =
          scene.fault.access == sys::Access::kRead && !extent.backing.in_memory;
      return done(
          in_the_file(scene, disk ? FaultKind::kMemoryFailure : FaultKind::kNoSpace));
    }
    const uint64_t first = scene.file_offset(extent.start);
    const uintptr_t lost = first >= end ? extent.start : extent.start + (end - first);
    tail.start = std::max(lost, common.start);
  } else {
    // A file that lost its path and shrank has no readable page at its end. (One that has
    // holes there on a full tmpfs looks the same.)
    if (sys::readable(reinterpret_cast<void*>(common.end - scene.unit))) {
      if (!stays_out_of_reach(scene, size)) return Fixup::kAlready;
      return done(in_the_file(scene, FaultKind::kNoSpace));
    }
    tail.start = first_unreadable({common.start, scene.page}, scene.unit);
  }
  const auto lost_from = [&](uintptr_t start) {
    if (extent.lost_from == 0 || start < extent.lost_from) extent.lost_from = start;
  };
  lost_from(tail.start);
  count(scene, FaultKind::kTruncated, tail);
  if (replace_by_zeros(tail)) return Fixup::kNow;
  // The limit of mappings: whole ones can still be replaced.
  lost_from(common.start);
  return done(replace_by_zeros(common) || give_up(common));
}

bool memory_failure(const FaultContext& scene) {
  size_t size = scene.unit;
  const unsigned lsb = scene.fault.lsb;
  if (lsb < 40 && (size_t{1} << lsb) > size) size = size_t{1} << lsb;
  const Span common = scene.common();
  const uintptr_t start = std::max(round_down(scene.page, size), common.start);
  const Span block = {start, std::min(round_down(scene.page, size) + size, common.end)};
  scene.extent->broken = true;
  count_block(*scene.extent);
  count(scene, FaultKind::kMemoryFailure, block);
  return replace_by_zeros(block) || lose(scene, common);
}

bool allow(Span span, int prot) {
  return !sys::mprotect(reinterpret_cast<void*>(span.start), span.length(), prot)
              .failed();
}

constexpr int kReadWrite = PROT_READ | PROT_WRITE;

// The old pages are kept, and the file is mapped anew, privately; without a way to the
// file, the block is copied.
bool write_to_shared(const FaultContext& scene) {
  Extent& extent = *scene.extent;
  const Span common = scene.common();
  bool whole = false;
  if (file_size(scene) >= 0 &&
      stash_shared(extent.stash, common.start, common.length())) {
    whole = replace_by_file(common, scene.file, scene.file_offset(common.start));
  }
  const Span span = whole ? common : block_of(scene, 0);
  count(scene, FaultKind::kReadOnly, span);
  if (whole) return true;
  count_block(extent);
  if (!stash_shared(extent.stash, span.start, span.length())) extent.broken = true;
  if (replace_by_copy(span, scene.unit)) return true;
  // The limit of mappings. The whole can still be replaced, and is the file's to restore.
  extent.lost_from = extent.start;
  return (file_size(scene) >= 0 &&
          replace_by_file(common, scene.file, scene.file_offset(common.start))) ||
         lose(scene, common);
}

bool read_only(const FaultContext& scene) {
  Extent& extent = *scene.extent;
  const Span common = scene.common();
  // A private mapping of it fails, and would leave a hole; a copy of it would be no
  // secret.
  if (is_secret(scene.vma)) {
    count(scene, FaultKind::kReadOnly, common);
    if (!stash_shared(extent.stash, common.start, common.length())) extent.broken = true;
    return replace_by_zeros(common);
  }
  if (scene.vma.shared) return write_to_shared(scene);
  // Nothing is in the pages that is not behind them: they can be dropped later.
  if (extent.pristine && allow(common, kReadWrite)) {
    extent.opened = true;
    count(scene, FaultKind::kReadOnly, common);
    return true;
  }
  const Span block = block_of(scene, kLeastStray);
  count_block(extent);
  count(scene, FaultKind::kReadOnly, block);
  const bool kept = !extent.pristine &&
                    stash_copy(extent.stash, block.start, block.length(), scene.unit);
  if (kept && allow(block, kReadWrite)) return true;
  extent.broken = true;
  return replace_by_copy(block, scene.unit) || allow(common, kReadWrite);
}

// Pages that this kernel cannot move, huge ones say: a copy of a block is kept, and the
// access is let through to it; to the whole at the limit of mappings.
bool let_through(const FaultContext& scene, Span span) {
  Extent& extent = *scene.extent;
  const Span around = block_of(scene, kLeastStray);
  const Span block = {std::max(around.start, span.start), std::min(around.end, span.end)};
  count_block(extent);
  const bool kept = allow(block, PROT_READ) &&
                    stash_copy(extent.stash, block.start, block.length(), scene.unit);
  if (kept && allow(block, kReadWrite)) return true;
  extent.broken = true;
  return allow(span, kReadWrite);
}

bool no_access(const FaultContext& scene, Span span) {
  Extent& extent = *scene.extent;
  count(scene, FaultKind::kNoAccess, span);
  // Code: it may be read, or else it could not go on to be run.
  if (scene.vma.executable) return allow(span, PROT_READ | PROT_EXEC);
  const bool kept =
      scene.vma.shared ? stash_shared(extent.stash, span.start, span.length())
                       : stash_pages(extent.stash, span.start, span.length(), scene.unit);
  if (!kept && !scene.vma.shared) return let_through(scene, span);
  if (!kept) extent.broken = true;
  // What JavaScript maps has a descriptor or a path to come back from.
  if (kept || extent.fd >= 0) return replace_by_zeros(span) || allow(span, kReadWrite);
  return allow(span, PROT_READ);
}

bool after_close(const FaultContext& scene) {
  const Span common = scene.common();
  count(scene, FaultKind::kAfterClose, common);
  if (replace_by_zeros(common) || give_up(common)) return true;
  // The limit of mappings. Closed pages around them have nothing to lose.
  return is_closed(scene.vma) && replace_by_zeros({scene.vma.start, scene.vma.end});
}

Fixup act(const FaultContext& scene, Cause cause) {
  switch (cause) {
    case Cause::kNotOurs:
      return Fixup::kNot;
    case Cause::kNoLonger:
      return Fixup::kAlready;
    case Cause::kBroken:
      return done(memory_failure(scene));
    case Cause::kPoolEmpty:
      return done(in_the_file(scene, FaultKind::kNoSpace));
    case Cause::kPastEnd:
      return past_the_end(scene);
    case Cause::kReadOnly:
      return done(read_only(scene));
    case Cause::kNoAccess:
      return done(no_access(scene, scene.common()));
    case Cause::kGuardPage:
      return done(no_access(scene, {scene.page, scene.page + scene.unit}));
    case Cause::kClosed:
      return done(after_close(scene));
  }
  return Fixup::kNot;
}

}  // namespace

Fixup fix_up(const Fault& fault) {
  const TextRoom room;
  sys::UniqueFd file;
  // A second time if the file behind is wanted, which is opened by its path without the
  // lock: some file systems take long. Nothing that was seen before it counts then.
  for (bool opened = false;; opened = true) {
    FaultContext scene = {fault, nullptr, {}, 0, 0, -1};
    PageReplacementLock lock{PageReplacementLock::ForHandler{}};
    if (!lock.held()) return Fixup::kNot;
    const Cause cause = look_at(scene, room.text());
    const bool of_file =
        cause == Cause::kPastEnd || (cause == Cause::kReadOnly && scene.vma.shared);
    if (of_file) scene.file = scene.extent->fd >= 0 ? scene.extent->fd : file.get();
    const bool wanted = of_file && scene.file < 0 && scene.extent->backing.regular;
    if (!wanted || opened) return act(scene, cause);
    lock.leave();
    const int flags = cause == Cause::kReadOnly ? O_RDONLY : O_PATH;
    Result<sys::UniqueFd> found = open_file_of(scene.vma, flags);
    if (found) file = std::move(*found);
  }
}

}  // namespace memmap::core
