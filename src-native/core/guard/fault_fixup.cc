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
void count(const FaultContext& context, FaultKind kind, Span replaced) {
  Extent& extent = *context.extent;
  extent.fixed_up = true;
  count_fault(*extent.counts, kind, replaced.start - extent.origin, replaced.length());
}

// Replacements of pages, which the kernel must not join with others' either.
bool marked(const FaultContext& context, Span span, bool replaced) {
  if (replaced) keep_apart(*context.extent, span.start, span.length());
  return replaced;
}

bool put_zeros(const FaultContext& context, Span span) {
  return marked(context, span, replace_by_zeros(span));
}

bool put_copy(const FaultContext& context, Span span) {
  return marked(context, span, replace_by_copy(span, context.unit));
}

bool put_whole_zeros(const FaultContext& context, Span span) {
  return marked(context, span, give_up(span));
}

Fixup done(bool fixed) { return fixed ? Fixup::kNow : Fixup::kNot; }

// The block around the faulting page, of at least `least` bytes: so large that a mapping
// has few of them.
Span block_of(const FaultContext& context, size_t least) {
  const Span whole = context.common();
  const size_t most = all_blocks() < kMostBlocksOfAll ? kMostBlocks : kFewBlocks;
  size_t size = std::max(context.unit, least);
  while (whole.length() / size > most) size *= 2;
  const uintptr_t start = whole.start + round_down(context.page - whole.start, size);
  return {start, std::min(start + size, whole.end)};
}

// Bytes in the file; -1 if nothing leads to it.
int64_t file_size(const FaultContext& context) {
  struct stat status = {};
  if (context.file < 0 || sys::fstat(context.file, &status).failed()) return -1;
  return is_file(context.extent->backing, status) ? status.st_size : -1;
}

// Gives the whole up to zeros: at the limit of mappings, in place of the process.
bool lose(const FaultContext& context, Span whole) {
  context.extent->broken = true;
  return put_whole_zeros(context, whole);
}

bool in_the_file(const FaultContext& context, FaultKind kind) {
  const Span block = block_of(context, 0);
  context.extent->broken = true;
  count_block(*context.extent);
  count(context, kind, block);
  return put_copy(context, block) || put_zeros(context, block) ||
         lose(context, context.common());
}

// Whether the access would succeed now: the file may have grown back since it failed.
bool succeeds(const FaultContext& context) {
  void* page = reinterpret_cast<void*>(context.page);
  if (!sys::readable(page)) return false;
  if (context.fault.access == sys::Access::kRead) return true;
  const Errno populated = sys::madvise(page, context.unit, MADV_POPULATE_WRITE);
  if (populated.value != EINVAL) return !populated.failed();
  // Linux before 5.14 cannot be asked: tried once more.
  return std::exchange(context.extent->suspect, context.page) != context.page;
}

// A file that lost its path and shrank has no readable page at its end. (One that has
// holes there on a full tmpfs looks the same.)
bool end_is_readable(const FaultContext& context) {
  return sys::readable(reinterpret_cast<void*>(context.common().end - context.unit));
}

// Whether a page inside the file can still not be had. `size`: of the file; -1: nothing
// leads to it, and its end could be read. A file may shrink and grow back in the midst of
// a look; not every time.
bool stays_out_of_reach(const FaultContext& context, int64_t size) {
  for (int look = 0; look < 8; ++look) {
    if (succeeds(context) || file_size(context) != size) return false;
    if (size < 0 && !end_is_readable(context)) return false;
  }
  return true;
}

Fixup past_the_end(const FaultContext& context) {
  Extent& extent = *context.extent;
  // What lies behind the kernel's mapping has a mapping of its own: another's, it may be.
  const Span common = context.common();
  Span tail = {context.page, common.end};
  const int64_t size = file_size(context);
  if (size >= 0) {
    const size_t end = round_up(static_cast<size_t>(size), context.unit);
    if (context.file_offset(context.page) < end) {
      if (!stays_out_of_reach(context, size)) return Fixup::kAlready;
      const bool disk =
          context.fault.access == sys::Access::kRead && !extent.backing.in_memory;
      return done(
          in_the_file(context, disk ? FaultKind::kMemoryFailure : FaultKind::kNoSpace));
    }
    const uint64_t first = context.file_offset(extent.start);
    const uintptr_t lost = first >= end ? extent.start : extent.start + (end - first);
    tail.start = std::max(lost, common.start);
  } else {
    if (end_is_readable(context)) {
      if (!stays_out_of_reach(context, size)) return Fixup::kAlready;
      return done(in_the_file(context, FaultKind::kNoSpace));
    }
    tail.start = first_unreadable({common.start, context.page}, context.unit);
  }
  const auto lost_from = [&](uintptr_t start) {
    if (extent.lost_from == 0 || start < extent.lost_from) extent.lost_from = start;
  };
  lost_from(tail.start);
  count(context, FaultKind::kTruncated, tail);
  if (put_zeros(context, tail)) return Fixup::kNow;
  // The limit of mappings: whole ones can still be replaced.
  lost_from(common.start);
  return done(put_zeros(context, common) || put_whole_zeros(context, common));
}

bool memory_failure(const FaultContext& context) {
  size_t size = context.unit;
  const unsigned lsb = context.fault.lsb;
  if (lsb < 40 && (size_t{1} << lsb) > size) size = size_t{1} << lsb;
  const Span common = context.common();
  const uintptr_t start = std::max(round_down(context.page, size), common.start);
  const Span block = {start, std::min(round_down(context.page, size) + size, common.end)};
  context.extent->broken = true;
  count_block(*context.extent);
  count(context, FaultKind::kMemoryFailure, block);
  return put_zeros(context, block) || lose(context, common);
}

bool allow(Span span, int prot) {
  return !sys::mprotect(reinterpret_cast<void*>(span.start), span.length(), prot)
              .failed();
}

constexpr int kReadWrite = PROT_READ | PROT_WRITE;

// Maps the file anew, privately.
bool show_file(const FaultContext& context, Span span) {
  constexpr int kFlags = MAP_PRIVATE | MAP_NORESERVE;
  const auto offset = static_cast<int64_t>(context.file_offset(span.start));
  return !replace_by_file(span, kReadWrite, kFlags, context.file, offset).failed();
}

// The old pages are kept, and the file is mapped anew; without a way to the
// file, the block is copied.
bool write_to_shared(const FaultContext& context) {
  Extent& extent = *context.extent;
  const Span common = context.common();
  bool whole = false;
  if (file_size(context) >= 0 &&
      stash_shared(extent.stash, common.start, common.length())) {
    whole = show_file(context, common);
  }
  const Span span = whole ? common : block_of(context, 0);
  count(context, FaultKind::kReadOnly, span);
  if (whole) return true;
  count_block(extent);
  if (!stash_shared(extent.stash, span.start, span.length())) extent.broken = true;
  if (put_copy(context, span)) return true;
  // The limit of mappings. The whole can still be replaced, and is the file's to restore.
  extent.lost_from = extent.start;
  return (file_size(context) >= 0 && show_file(context, common)) || lose(context, common);
}

bool read_only(const FaultContext& context) {
  Extent& extent = *context.extent;
  const Span common = context.common();
  // A private mapping of it fails, and would leave a hole; a copy of it would be no
  // secret.
  if (is_secret(context.vma)) {
    count(context, FaultKind::kReadOnly, common);
    if (!stash_shared(extent.stash, common.start, common.length())) extent.broken = true;
    return put_zeros(context, common);
  }
  if (context.vma.shared) return write_to_shared(context);
  // Nothing is in the pages that is not behind them: they can be dropped later.
  if (extent.pristine && allow(common, kReadWrite)) {
    extent.opened = true;
    count(context, FaultKind::kReadOnly, common);
    return true;
  }
  const Span block = block_of(context, kLeastStray);
  count_block(extent);
  count(context, FaultKind::kReadOnly, block);
  const bool kept = !extent.pristine &&
                    stash_copy(extent.stash, block.start, block.length(), context.unit);
  if (kept && allow(block, kReadWrite)) return true;
  extent.broken = true;
  return put_copy(context, block) || allow(common, kReadWrite);
}

// Pages that this kernel cannot move, huge ones say: a copy of a block is kept, and the
// access is let through to it; to the whole at the limit of mappings.
bool let_through(const FaultContext& context, Span span) {
  Extent& extent = *context.extent;
  const Span around = block_of(context, kLeastStray);
  const Span block = {std::max(around.start, span.start), std::min(around.end, span.end)};
  count_block(extent);
  const bool kept = allow(block, PROT_READ) &&
                    stash_copy(extent.stash, block.start, block.length(), context.unit);
  if (kept && allow(block, kReadWrite)) return true;
  extent.broken = true;
  return allow(span, kReadWrite);
}

bool no_access(const FaultContext& context, Span span) {
  Extent& extent = *context.extent;
  count(context, FaultKind::kNoAccess, span);
  // Code: it may be read, or else it could not go on to be run.
  if (context.vma.executable) return allow(span, PROT_READ | PROT_EXEC);
  const bool kept = context.vma.shared
                        ? stash_shared(extent.stash, span.start, span.length())
                        : stash_pages(extent.stash, span.start, span.length());
  if (!kept && !context.vma.shared) return let_through(context, span);
  if (!kept) extent.broken = true;
  // What JavaScript maps has a descriptor or a path to come back from.
  if (kept || extent.fd >= 0) return put_zeros(context, span) || allow(span, kReadWrite);
  return allow(span, PROT_READ);
}

bool after_close(const FaultContext& context) {
  const Span common = context.common();
  count(context, FaultKind::kAfterClose, common);
  if (put_zeros(context, common) || put_whole_zeros(context, common)) return true;
  // The limit of mappings. Closed pages around them have nothing to lose.
  return is_closed(context.vma) &&
         put_zeros(context, {context.vma.start, context.vma.end});
}

Fixup act(const FaultContext& context, Cause cause) {
  switch (cause) {
    case Cause::kNotOurs:
      return Fixup::kNot;
    case Cause::kNoLonger:
      return Fixup::kAlready;
    case Cause::kBroken:
      return done(memory_failure(context));
    case Cause::kPoolEmpty:
      return done(in_the_file(context, FaultKind::kNoSpace));
    case Cause::kPastEnd:
      return past_the_end(context);
    case Cause::kReadOnly:
      return done(read_only(context));
    case Cause::kNoAccess:
      return done(no_access(context, context.common()));
    case Cause::kGuardPage:
      return done(no_access(context, {context.page, context.page + context.unit}));
    case Cause::kClosed:
      return done(after_close(context));
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
    FaultContext context = {fault, nullptr, {}, 0, 0, -1};
    PageReplacementLock lock{PageReplacementLock::ForHandler{}};
    if (!lock.held()) return Fixup::kNot;
    const Cause cause = look_at(context, room.text());
    const bool of_file =
        cause == Cause::kPastEnd || (cause == Cause::kReadOnly && context.vma.shared);
    if (of_file) context.file = context.extent->fd >= 0 ? context.extent->fd : file.get();
    const bool wanted = of_file && context.file < 0 && context.extent->backing.regular;
    if (!wanted || opened) return act(context, cause);
    lock.leave();
    const int flags = cause == Cause::kReadOnly ? O_RDONLY : O_PATH;
    Result<sys::UniqueFd> found = open_file_of(context.vma, flags);
    if (found) file = std::move(*found);
  }
}

}  // namespace memmap::core
