#include "core/mapping/placed_part.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/mapping/address_range.h"
#include "core/replacement/page_replacement_lock.h"
#include "core/replacement/spare_mappings.h"
#include "sys/memory.h"

namespace memmap::core {

PlacedPart::PlacedPart(std::shared_ptr<AddressRange> range, uintptr_t start,
                       uintptr_t end)
    : range_(std::move(range)), start_(start), end_(end) {
  const PageReplacementLock lock;
  range_->parts_.push_back(this);
}

PlacedPart::~PlacedPart() {
  const PageReplacementLock lock;
  std::erase(range_->parts_, this);
  range_->clear(*this);
}

void AddressRange::clear(const PlacedPart& part) {
  for (uintptr_t at = part.start(); at < part.end();) {
    const Extent* extent = first_extent(at);
    if (extent == nullptr || extent->start >= part.end()) return;
    const uintptr_t start = std::max(extent->start, part.start());
    const uintptr_t end = std::min(extent->end, part.end());
    at = end;
    const auto reaches = [&](const PlacedPart* other) {
      return other->start() < end && start < other->end();
    };
    if (!extent->closed || std::any_of(parts_.begin(), parts_.end(), reaches)) continue;
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    const auto cleared = with_spares([&] {
      return sys::mmap(reinterpret_cast<void*>(start), end - start, PROT_NONE, kFlags, -1,
                       0);
    });
    // At the limit of mappings they stay closed.
    if (cleared) remove_extents(start, end, this);
  }
}

}  // namespace memmap::core
