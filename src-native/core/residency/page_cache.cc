#include "core/residency/page_cache.h"

#include <sys/mman.h>

#include <vector>

#include "core/mapping/scratch_pages.h"
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

// Pages whose `wanted` bits are not decided yet.
struct Undecided {
  size_t first;
  size_t end;
  unsigned wanted;
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

FileTraits traits_of(int fd) {
  struct statfs system = {};
  if (fd < 0 || may_be_dax(fd) || sys::fstatfs(fd, &system).failed()) return {};
  return {.dax = false, .file_system = system.f_type};
}

PageCache::PageCache(int fd) : PageCache(fd, traits_of(fd)) {}

PageCache::PageCache(int fd, FileTraits traits)
    : fd_(traits.dax ? -1 : fd), evicted_(kEvicted) {
  if (fd_ >= 0 && traits.file_system == TMPFS_MAGIC) {
    evicted_ |= kSwapped;  // a page of tmpfs has nowhere else to go
  }
}

unsigned PageCache::read(PageStates& pages, int64_t offset, bool must_find_resident) {
  if (fd_ < 0) return 0;
  constexpr unsigned kFates = kDirty | kWriteback | kEvicted | kRecentlyEvicted;
  const unsigned halve = kFates | (must_find_resident ? kResident : 0);
  const unsigned known = find(pages, offset, kFates | kResident, halve);
  if (known == 0) {
    fd_ = -1;
    hides_swap_ = (evicted_ & kSwapped) != 0;
  }
  return known;
}

unsigned PageCache::find(PageStates& pages, int64_t offset, unsigned wanted,
                         unsigned halve) const {
  unsigned known = wanted;
  std::vector<Undecided> parts = {{0, pages.count, wanted}};
  while (!parts.empty()) {
    const Undecided part = parts.back();
    parts.pop_back();
    const size_t length = part.end - part.first;
    const sys::CachestatRange range = {
        static_cast<uint64_t>(offset) + part.first * page_size(), length * page_size()};
    sys::Cachestat counts = {};
    if (sys::cachestat(fd_, &range, &counts, 0).failed()) return 0;
    Verdict verdict;
    verdict.judge(kResident & part.wanted, counts.cached, length);
    verdict.judge(kDirty & part.wanted, counts.dirty, length);
    verdict.judge(kWriteback & part.wanted, counts.writeback, length);
    verdict.judge(kEvicted & part.wanted, counts.evicted, length);
    verdict.judge(kRecentlyEvicted & part.wanted, counts.recently_evicted, length);
    const unsigned bits = verdict.all | ((verdict.all & kEvicted) != 0 ? evicted_ : 0);
    for (size_t page = part.first; bits != 0 && page < part.end; ++page) {
      if ((pages.bits[page] & kPrivate) == 0) pages.bits[page] |= bits;
    }
    known &= ~(verdict.partly & ~halve);
    const unsigned left = verdict.partly & halve;
    // A count of one page is none or all.
    if (left == 0 || length == 1) continue;
    const size_t middle = part.first + length / 2;
    parts.push_back({part.first, middle, left});
    parts.push_back({middle, part.end, left});
  }
  return known;
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
