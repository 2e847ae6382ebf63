#include "core/page_cache.h"

#include <sys/mman.h>

#include "core/scratch_pages.h"
#include "sys/file.h"
#include "sys/memory.h"

namespace memmap::core {
namespace {

// The bits that a range's counts can decide for all its pages at once; `partly` has those
// that they cannot.
struct Verdict {
  unsigned all = 0;
  unsigned partly = 0;
  void judge(unsigned bits, uint64_t count, size_t pages) {
    if (count >= pages) {
      all |= bits;
    } else if (count > 0) {
      partly |= bits;
    }
  }
};

// Where it cannot be known it may be.
bool may_be_dax(int fd) {
  struct statx facts = {};
  if (sys::statx(fd, STATX_TYPE, &facts).failed()) return true;
  return (facts.stx_attributes & STATX_ATTR_DAX) != 0;
}

}  // namespace

sys::Errno cachestat(int fd, const sys::CachestatRange& range, sys::Cachestat& counts,
                     unsigned flags) {
  struct stat file = {};
  if (sys::Errno error = sys::fstat(fd, &file); error.failed()) return error;
  if (may_be_dax(fd)) return {EOPNOTSUPP};
  return sys::cachestat(fd, &range, &counts, flags);
}

PageCache::PageCache(int fd) : fd_(fd), evicted_(kEvicted) {
  struct statfs system = {};
  if (fd_ < 0 || may_be_dax(fd_) || sys::fstatfs(fd_, &system).failed()) {
    fd_ = -1;
  } else if (system.f_type == TMPFS_MAGIC) {
    evicted_ |= kSwapped;  // a page of tmpfs has nowhere else to go
  }
}

unsigned PageCache::read(PageStates& pages, int64_t offset, bool resident) {
  if (fd_ < 0) return 0;
  const unsigned wanted = kDirty | kWriteback | kEvicted | kRecentlyEvicted |
                          (resident ? kResident : 0);
  if (!read_part(pages, offset, 0, pages.count, wanted)) {
    fd_ = -1;
    hides_swap_ = (evicted_ & kSwapped) != 0;
    return 0;
  }
  return wanted;
}

// Only `wanted` bits; the others are decided.
bool PageCache::read_part(PageStates& pages, int64_t offset, size_t first, size_t end,
                          unsigned wanted) const {
  const sys::CachestatRange range = {static_cast<uint64_t>(offset) + first * page_size(),
                                     (end - first) * page_size()};
  sys::Cachestat counts = {};
  if (sys::cachestat(fd_, &range, &counts, 0).failed()) return false;
  const size_t length = end - first;
  Verdict verdict;
  verdict.judge(kResident & wanted, counts.cached, length);
  verdict.judge(kDirty & wanted, counts.dirty, length);
  verdict.judge(kWriteback & wanted, counts.writeback, length);
  verdict.judge(kEvicted & wanted, counts.evicted, length);
  verdict.judge(kRecentlyEvicted & wanted, counts.recently_evicted, length);
  if (verdict.all != 0) {
    const unsigned bits = verdict.all | ((verdict.all & kEvicted) != 0 ? evicted_ : 0);
    for (size_t page = first; page < end; ++page) {
      if ((pages.bits[page] & kPrivate) == 0) pages.bits[page] |= bits;
    }
  }
  // A count of one page that is neither none nor all cannot be: the recursion ends.
  if (verdict.partly == 0 || length == 1) return true;
  const size_t middle = first + length / 2;
  return read_part(pages, offset, first, middle, verdict.partly) &&
         read_part(pages, offset, middle, end, verdict.partly);
}

bool fakes_residency(int fd) {
  struct stat file = {};
  struct statfs system = {};
  if (sys::fstat(fd, &file).failed() || sys::fstatfs(fd, &system).failed()) return true;
  const size_t unit = system.f_type == HUGETLBFS_MAGIC
                          ? static_cast<size_t>(system.f_bsize)
                          : page_size();
  const size_t past_end = round_up(static_cast<size_t>(file.st_size), unit);
  const ScratchPages page(unit, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd,
                          static_cast<int64_t>(past_end));
  unsigned char resident = 1;
  if (page.error().failed()) return true;
  if (sys::mincore(page.address(), page_size(), &resident).failed()) return true;
  return (resident & 1) != 0;
}

}  // namespace memmap::core
